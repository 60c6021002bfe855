"""What `make gpu-check` says, without an engine: of what holds, of what doesn't, and of what this machine can't show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo.checks import gpu
from tests.places import ROOT


def test_some_of_many_is_wrong_and_nothing_is_no_proof() -> None:
    assert gpu._all_of(3, 3, "draws are equal") == "3 of 3 draws are equal"
    for number, count in ((2, 3), (0, 0)):
        with pytest.raises(gpu.Wrong, match=f"{number} of {count} draws are equal"):
            gpu._all_of(number, count, "draws are equal")


def test_shards_are_compared_and_other_files_are_not() -> None:
    one = {"a.parquet": "1", "README.md": "x"}
    assert gpu._same(one, {"a.parquet": "1", "README.md": "y"}) == "1 of 1 shards are the same bytes"
    with pytest.raises(gpu.Wrong):
        gpu._same(one, {"README.md": "x"})


def test_an_end_is_no_part_of_a_draw() -> None:
    assert gpu._without_end([5, 6, 2], {2}) == gpu._without_end([5, 6], {2}) == (5, 6)


def test_losses_are_those_of_the_last_checkpoint(tmp_path: Path) -> None:
    assert gpu._history(tmp_path) == []
    state = tmp_path / "checkpoint-1" / "trainer_state.json"
    state.parent.mkdir()
    state.write_text(json.dumps({"log_history": [{"loss": 0.5}]}))
    assert gpu._history(tmp_path) == [{"loss": 0.5}]


@pytest.mark.parametrize(("count", "part"), [(1, gpu.replicas), (0, gpu.sharded), (1, gpu.sharded)])
def test_what_wants_more_cards_says_so(
    count: int, part: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "gpus", lambda: count)
    with pytest.raises(gpu.NotHere, match="want two GPUs"):
        part(tmp_path)  # type: ignore[operator]


def test_an_unknown_part_is_refused_in_a_line() -> None:
    command = [sys.executable, "-m", "demo.checks.gpu", "engines"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no part is called engines; there are engine, replicas" in done.stderr
