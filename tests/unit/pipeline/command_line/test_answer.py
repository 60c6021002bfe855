"""What a program reads: one object, and nothing else."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.command_line.answer import to_json
from tests.places import ROOT


@dataclass(frozen=True)
class Size:
    low: float
    tags: tuple[str, ...] = ()


def test_values_become_plain_ones_and_no_number_becomes_null() -> None:
    data = {
        "a": Size(1.5, ("x",)),
        "b": [math.nan, math.inf, 0.0],
        "c": {2: None},
        "d": Path("runs/x"),
        "e": "ü \ud800",
    }
    assert json.loads(to_json(data)) == {
        "a": {"low": 1.5, "tags": ["x"]}, "b": [None, None, 0.0], "c": {"2": None}, "d": "runs/x", "e": "ü \ud800",
    }  # fmt: skip
    assert to_json(data).isascii()
    with pytest.raises(TypeError):
        to_json({"a": object()})


NOISY = """
import os, subprocess, sys
from pipeline.cli import main
from pipeline.command_line.answer import Answer
from stages.annotate import status

def noisy(run):
    print("from Python")
    os.write(1, b"from C\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    return Answer("for a person", {"run": run})

status.status_of = noisy
main(["status", "runs/x", *sys.argv[1:]])
"""


def test_whoever_else_writes_to_standard_output_is_sent_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY, "--json"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"run": "runs/x"}
    assert sorted(done.stderr.splitlines()) == ["from C", "from Python", "from a child"]
    done = subprocess.run([sys.executable, "-c", NOISY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "for a person"


def test_a_command_that_fails_writes_no_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["status", str(tmp_path), "--json"])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"visualprm: {tmp_path}: no run is here; `visualprm dataset CONFIG` makes one\n"
