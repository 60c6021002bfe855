"""What a stop leaves of a file's scores, and how the same call goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.reward.kept_scores import KeptScores, made_from


def rows(count: int, first: int = 0) -> list[dict]:
    return [{"row": number, "step_scores": [0.5], "error": None} for number in range(first, first + count)]


def test_whole_chunks_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.jsonl"
    kept = KeptScores(out, "m", [4, 4, 2])
    assert (kept.chunks, list(kept.read())) == (0, [])
    assert list(kept.add(rows(7))) == rows(7)
    kept.close(remove=False)
    again = KeptScores(out, "m", [4, 4, 2])
    assert (again.chunks, list(again.read())) == (1, rows(4))
    assert "going on behind 4 solutions that are scored" in capsys.readouterr().err
    list(again.add(rows(6, 4)))
    again.close(remove=False)
    last = KeptScores(out, "m", [4, 4, 2])
    assert (last.chunks, list(last.read())) == (3, rows(10))
    last.close(remove=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_row_that_was_cut_short_is_scored_again(tmp_path: Path, cut: int) -> None:
    kept = KeptScores(tmp_path / "s.jsonl", "m", [2, 2])
    list(kept.add(rows(4)))
    kept.close(remove=False)
    kept.path.write_bytes(kept.path.read_bytes()[:-cut])
    again = KeptScores(tmp_path / "s.jsonl", "m", [2, 2])
    assert (again.chunks, list(again.read())) == (1, rows(2))
    list(again.add(rows(2, 2)))
    again.close(remove=False)
    assert [json.loads(line) for line in kept.path.read_text().splitlines()[1:]] == rows(4)


def test_scores_of_another_model_are_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptScores(tmp_path / "s.jsonl", "m", [2])
    list(kept.add(rows(2)))
    kept.close(remove=False)
    other = KeptScores(tmp_path / "s.jsonl", "n", [2])
    assert other.chunks == 0
    assert "of another file or model, or cut: started again" in capsys.readouterr().err
    other.close(remove=False)


def test_what_scores_are_made_from(tmp_path: Path) -> None:
    file, model = tmp_path / "in.jsonl", tmp_path / "model"
    file.write_text("{}\n")
    model.mkdir()
    (model / "w").write_text("1")
    first = made_from(file, str(model), ["hf"])
    assert made_from(file, str(model), ["hf"]) == first
    assert made_from(file, str(model), ["vllm"]) != first
    (model / "w").write_text("22")
    assert made_from(file, str(model), ["hf"]) != first
