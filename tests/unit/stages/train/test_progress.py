"""What a training shows: a bar on a terminal, few and different lines in a file."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from stages.train.progress import Progress, progress_line, time_left


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Run:
    """The events of a training of 100 steps, 10 s each, with a log line and an evaluation every 50."""

    def __init__(self, out: io.StringIO, first: int = 0, chief: bool = True) -> None:
        self.time = 0.0
        self.state = SimpleNamespace(global_step=first, max_steps=100, is_world_process_zero=chief)
        self.trainer: Any = SimpleNamespace(_globalstep_last_logged=first, _tr_loss=0.0, is_in_train=True)
        self.shown = Progress(self.trainer, out, lambda: self.time)
        self.shown.on_train_begin(None, self.state, None)

    def until(self, step: int) -> None:
        while self.state.global_step < step:
            self.time += 10
            self.state.global_step += 1
            self.trainer._tr_loss += 0.5
            self.shown.on_step_end(None, self.state, None)
            if self.state.global_step % 50 == 0:
                self.trainer._globalstep_last_logged, self.trainer._tr_loss = self.state.global_step, 0.0
                self.shown.on_prediction_step(None, self.state, None, [0, 0])
                self.shown.on_evaluate(None, self.state, None, {"eval_macro_f1": 0.75})

    def end(self) -> None:
        self.shown.on_train_end(None, self.state, None)


def test_a_file_has_a_line_now_and_then_and_none_twice() -> None:
    out = io.StringIO()
    run = Run(out)
    run.until(100)
    run.end()
    lines = out.getvalue().splitlines()
    assert lines[0] == "step 3 of 100: loss 0.5000, 16 min left"
    assert "step 50 of 100: loss 0.5000, held-out F1 0.7500, 8 min left" in lines
    assert lines[-1] == "step 100 of 100: loss 0.5000, held-out F1 0.7500"
    assert len(set(lines)) == len(lines) <= 36
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_the_time_left_of_a_resumed_training_is_of_its_own_steps() -> None:
    out = io.StringIO()
    run = Run(out, first=90)
    run.until(93)
    assert out.getvalue() == "step 93 of 100: loss 0.5000, 1 min left\n"


def test_a_resumed_training_that_was_complete_says_nothing() -> None:
    out = io.StringIO()
    Run(out, first=100).end()
    assert not out.getvalue()


def test_a_terminal_has_a_bar_with_loss_f1_and_evaluation() -> None:
    out = Terminal()
    run = Run(out)
    run.until(60)
    assert run.shown._bar.n == 60
    assert run.shown._bar.postfix == "loss 0.5000, held-out F1 0.7500"
    run.shown.on_prediction_step(None, run.state, None, [0, 0])
    assert run.shown._bar.postfix == "loss 0.5000, held-out F1 0.7500, evaluating 1 of 2"
    run.end()
    assert "60/100" in out.getvalue()


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_other_workers_say_nothing(out: io.StringIO) -> None:
    run = Run(out, chief=False)
    run.until(100)
    run.end()
    assert not out.getvalue()


def test_before_anything_is_measured() -> None:
    assert progress_line(0, 1000, "", None) == "step 0 of 1,000"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.4, "59 s"), (59.9, "1 min"), (90, "2 min"), (3599, "1 h 0 min"), (12000, "3 h 20 min")]
)  # fmt: skip
def test_time_left(seconds: float, said: str) -> None:
    assert time_left(seconds) == said
