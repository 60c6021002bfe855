"""When a training writes a checkpoint beyond every so many steps: after some minutes, and before it stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from stages.train.stop import Stop, Stopped


def agreed(args: TrainingArguments, *flags: bool) -> list[bool]:
    """What the first worker says, for all: what they do together they must do after the same step."""
    if args.world_size == 1:
        return list(flags)
    shared = torch.tensor(flags, dtype=torch.int64, device=args.device)
    torch.distributed.broadcast(shared, src=0)
    return [bool(flag) for flag in shared.tolist()]


class Saving(TrainerCallback):
    """Asks the trainer for checkpoints."""

    def __init__(self, trainer: Trainer, minutes: float, stop: Stop, now: Callable[[], float] = time.monotonic) -> None:
        self._trainer = trainer
        self._seconds = minutes * 60
        self._stop = stop
        self._now = now
        self._saved = now()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved = self._now()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        due, stopping = agreed(args, self._now() - self._saved >= self._seconds, self._stop.asked)
        control.should_save |= due or stopping
        control.should_training_stop |= stopping

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An evaluation may take longer than a stop may.

        Raises:
            Stopped: it was asked for; the checkpoint is written.
        """
        if self._trainer.is_in_train and agreed(args, self._stop.asked) == [True]:
            self._trainer._save_checkpoint(self._trainer.model, trial=None)
            raise Stopped

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._saved = self._now()
