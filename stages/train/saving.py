"""When a training writes a checkpoint beyond every so many steps: after some minutes, and before it stops."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from pipeline.errors import UserError
from pipeline.store import one_line_io_errors
from stages.train.checkpoints import note_sums
from stages.train.stop import Stop, Stopped

_NOT_WRITTEN = re.compile(r"PytorchStreamWriter|inline_container|iostream|I/O error|os error \d+|No space left")
"""Of what torch and safetensors raise when a file can't be written: classes of their own, without an errno."""


@contextlib.contextmanager
def saving_errors(place: str) -> Iterator[None]:
    """Turns what a disk refuses, and what torch and safetensors make of it, into one line.

    Raises:
        UserError: names the place.
    """
    from safetensors import SafetensorError

    try:
        with one_line_io_errors(place):
            yield
    except (RuntimeError, SafetensorError) as error:
        if not _NOT_WRITTEN.search(str(error)):
            raise
        said = " ".join(str(error).splitlines()[0].split())[:150]
        raise UserError(
            f"{place}: could not be written ({said}): free space or look at the disk, then run the same command again; "
            "it resumes from the last checkpoint that is whole"
        ) from error


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
            self.on_save(args, state, control)
            raise Stopped

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The first worker notes the sums of the files when all have written theirs."""
        if args.world_size > 1:
            torch.distributed.barrier()
        if state.is_world_process_zero:
            note_sums(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self._saved = self._now()
