"""Whom a line of ours reaches."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pipeline.terminal.speak import Streams, apart, error_descriptor, is_apart, say, say_fault, tell
from tests.places import ROOT


def test_lines_go_to_standard_output_and_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("starting")
    say_fault("an engine died")
    tell("3 rows")
    assert capsys.readouterr() == ("3 rows\n", "starting\nan engine died\n")


def test_apart_they_go_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    own = Streams(io.StringIO(), io.StringIO())
    with apart(own):
        assert is_apart()
        say("starting")
        tell("3 rows")
        print("of a library")
    assert not is_apart()
    assert (own.out.getvalue(), own.err.getvalue()) == ("3 rows\n", "starting\n")  # type: ignore[attr-defined]
    assert capsys.readouterr() == ("of a library\n", "")


def test_a_process_of_ray_marks_them_for_the_driver(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = SimpleNamespace(WORKER_MODE=1, global_worker=SimpleNamespace(mode=1))
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    say("step 3")
    say_fault("an engine died")
    worker.global_worker.mode = 0
    say("the driver itself")
    told = capsys.readouterr().err.splitlines()
    assert told == ["visualprm: step 3", "visualprm, a fault: an engine died", "the driver itself"]


def test_ray_has_what_a_worker_is_known_by() -> None:
    """Of its private module: should it move, lines of workers would be lost in the log without a word."""
    program = "from ray._private import worker; print(worker.WORKER_MODE, worker.global_worker.mode)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "None"]


def test_a_signal_handler_finds_the_terminal() -> None:
    with apart(Streams(io.StringIO(), io.StringIO())):
        assert error_descriptor() == 2
