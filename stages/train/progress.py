"""What a person sees of a training: a bar on a terminal, a line now and then in a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from tqdm import tqdm
from transformers import Trainer, TrainerCallback

from pipeline.terminal.speak import error_stream, say, write

EVERY_S = 30.0
"""Seconds between two lines where there is no terminal."""


class Progress(TrainerCallback):
    """Step, loss, held-out F1 and the time left, of the first worker."""

    def __init__(self, trainer: Trainer, out: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._trainer = trainer
        self._out = out or error_stream()
        self._say = partial(write, out=out) if out else say
        self._now = now
        self._bar: Any = None
        self._line = ""
        self._loss: float | None = None
        self._f1: float | None = None
        self._first = self._evaluated = 0
        self._began = self._told = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = self._told = self._now()
        self._first = state.global_step
        if state.is_world_process_zero and self._out.isatty():
            self._bar = tqdm(
                total=state.max_steps, initial=state.global_step, unit="step", file=self._out, dynamic_ncols=True
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Of the steps since the last log line, as `Trainer` will log it.
        steps = max(state.global_step - self._trainer._globalstep_last_logged, 1)
        self._loss = float(self._trainer._tr_loss) / steps
        if self._bar is not None:
            self._bar.set_postfix_str(self._measured(), refresh=False)
            self._bar.update(state.global_step - self._bar.n)
        elif self._now() - self._told >= EVERY_S:
            self._tell(state)

    def on_prediction_step(self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **_: Any) -> None:
        self._evaluated += 1
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._measured()}, evaluating {self._evaluated} of {len(eval_dataloader)}")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        self._evaluated = 0
        self._f1 = (metrics or {}).get("eval_macro_f1", self._f1)
        if self._bar is not None:
            self._bar.set_postfix_str(self._measured())
        elif self._trainer.is_in_train:
            self._tell(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif state.global_step > self._first:
            self._tell(state)

    def _measured(self) -> str:
        found = {"loss": self._loss, "held-out F1": self._f1}
        return ", ".join(f"{name} {value:.4f}" for name, value in found.items() if value is not None)

    def _tell(self, state: Any) -> None:
        if not state.is_world_process_zero:
            return
        self._told = self._now()
        done = state.global_step - self._first
        left = (self._told - self._began) / done * (state.max_steps - state.global_step) if done else None
        line = progress_line(state.global_step, state.max_steps, self._measured(), left)
        if line != self._line:
            self._say(line)
        self._line = line


def progress_line(step: int, total: int, measured: str, seconds_left: float | None) -> str:
    """`step 20 of 240: loss 0.5257, held-out F1 0.6120, 4 min left`."""
    left = [f"{time_left(seconds_left)} left"] if seconds_left is not None and step < total else []
    return f"step {step:,} of {total:,}: {', '.join([measured, *left] if measured else left)}".rstrip(": ")


def time_left(seconds: float) -> str:
    """To a person's precision: `40 s`, `4 min`, `3 h 20 min`."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
