"""Files of solutions to files of scores, with a scorer that needs no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from pipeline.errors import RowError, UserError
from stages.reward import score_files as scoring
from stages.reward.beta import StepScores, intervals
from stages.reward.model import Candidate, Scorer, read_config
from stages.reward.open_scorer import ScoreOptions
from stages.reward.score_files import score_file
from stages.reward.solutions import chunks
from tests.families import POLICY
from tests.unit.stages.reward.test_collate import IMAGES

OPTIONS = ScoreOptions("none")


class Lengths:
    """Scores a step by its length."""

    name = "lengths"
    config = read_config(str(POLICY))

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        long = [any(len(step) > 99 for step in each.steps) for each in candidates]
        return [
            RowError("too_long", "100 characters") if is_long else [len(step) / 100 for step in each.steps]
            for each, is_long in zip(candidates, long, strict=True)
        ]


@pytest.fixture(autouse=True)
def lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    def scorer(_: ScoreOptions) -> AbstractContextManager[Scorer]:
        return nullcontext(Lengths())

    monkeypatch.setattr(scoring, "open_scorer", scorer)


ROWS: list[Any] = [
    {"id": "a", "question": "?", "image": "one.png", "steps": ["x", "yy"]},
    {"id": 7, "question": "?", "images": ["one.png", "one.png"], "response": "x\n\nyyy"},
    {"question": "?", "steps_with_score": [{"step": "zzzz", "score": 0.5}]},
    {"question": "?", "response": {"steps": ["v"]}},
    {"question": "?", "image": "elsewhere.png", "steps": ["x"]},
    {"question": "?", "image": "broken.png", "steps": ["x"]},
    {"question": " ", "steps": ["x"]},
    {"question": "?", "steps": []},
    {"question": "?", "steps": ["x", 1]},
    {"id": "long", "question": "?", "steps": ["x" * 100]},
    [],
]
ERRORS = (
    [None] * 4
    + ["missing_image", "truncated_image", "missing_question"]
    + ["missing_steps"] * 2
    + ["too_long", "bad_json"]
)


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    (tmp_path / "one.png").write_bytes(IMAGES[0])
    (tmp_path / "broken.png").write_bytes(IMAGES[0][:100])
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*map(json.dumps, ROWS), "{"]))
    return path


def test_every_row_has_scores_or_a_reason(jsonl: Path, tmp_path: Path) -> None:
    text = score_file(jsonl, tmp_path / "out.jsonl", OPTIONS)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["error"] and row["error"].split(":")[0] for row in rows] == [*ERRORS, "bad_json"]
    assert [row["row"] for row in rows] == list(range(12))
    assert [row["id"] for row in rows[:3]] == ["a", "7", ""]
    assert [row["step_scores"] for row in rows[:4]] == [[0.01, 0.02], [0.01, 0.03], [0.04], [0.01]]
    assert rows[0]["scores"]["mean"] == pytest.approx(0.015)
    assert rows[9] == {**rows[9], "step_scores": None, "scores": None}
    assert text.startswith("4 of 12 solutions, 6 steps scored")
    assert "2 × missing_steps" in text


class Counting(Lengths):
    """Scores a step by its length, as surely as after 20 draws."""

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        found = super().score_many(candidates)
        return [one if isinstance(one, RowError) else StepScores(one, [20.0] * len(one)) for one in found]


def test_a_model_of_counts_gives_every_step_an_interval(
    jsonl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "open_scorer", lambda _: nullcontext(Counting()))
    score_file(jsonl, tmp_path / "out.jsonl", OPTIONS)
    first, *_, last = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = intervals([0.01, 0.02], [20.0, 20.0])
    assert list(zip(first["step_low"], first["step_high"], strict=True)) == expected
    assert last["step_low"] is None
    score_file(jsonl, tmp_path / "out.parquet", OPTIONS)
    assert pq.read_table(tmp_path / "out.parquet")["step_high"].to_pylist()[0] == first["step_high"]


def test_other_models_give_none(jsonl: Path, tmp_path: Path) -> None:
    score_file(jsonl, tmp_path / "out.jsonl", OPTIONS)
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert list(first) == ["id", "row", "steps", "step_scores", "step_low", "step_high", "scores", "error"]
    assert (first["step_low"], first["step_high"]) == (None, None)


def test_parquet_in_and_out_by_row_groups(tmp_path: Path) -> None:
    images = [{"bytes": IMAGES[0], "path": None}]
    table = pa.Table.from_pylist(
        [{"id": str(k), "question": "?", "images": images, "steps": ["x" * (k + 1)]} for k in range(5)]
    )
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    assert [(part.start, part.first, part.rows) for part in chunks(tmp_path / "in.parquet")] == [
        (0, 0, 2), (1, 2, 2), (2, 4, 1),
    ]  # fmt: skip
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet", OPTIONS)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["id"] for row in rows] == list("01234")
    assert [row["step_scores"] for row in rows] == [[(k + 1) / 100] for k in range(5)]


def test_a_long_row_group_is_scored_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.Table.from_pylist([{"id": str(k), "question": "?", "steps": ["x" * (k % 90 + 1)]} for k in range(210)])
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=200)
    assert [(part.start, part.offset, part.first, part.rows) for part in chunks(tmp_path / "in.parquet")] == [
        (0, 0, 0, 64), (0, 64, 64, 64), (0, 128, 128, 64), (0, 192, 192, 8), (1, 0, 200, 10),
    ]  # fmt: skip
    seen: list[int] = []
    score = Lengths.score_many

    def counted(self: Lengths, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        seen.append(len(candidates))
        return score(self, candidates)

    monkeypatch.setattr(Lengths, "score_many", counted)
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet", OPTIONS)
    assert seen == [64, 64, 64, 8, 10]
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["id"], row["row"]) for row in rows] == [(str(k), k) for k in range(210)]
    assert [row["step_scores"] for row in rows] == [[(k % 90 + 1) / 100] for k in range(210)]


def test_places_that_cannot_be_used_are_one_line(jsonl: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="end its name in"):
        score_file(jsonl, tmp_path / "out.csv", OPTIONS)
    with pytest.raises(UserError, match="there is no folder"):
        score_file(jsonl, tmp_path / "no" / "out.jsonl", OPTIONS)
    with pytest.raises(UserError, match="--max-steps 0: must be at least 1"):
        score_file(jsonl, tmp_path / "out.jsonl", replace(OPTIONS, max_steps=0))
    with pytest.raises(UserError, match="--replicas 0: must be at least 1"):
        score_file(jsonl, tmp_path / "out.jsonl", OPTIONS, replicas=0)
    with pytest.raises(UserError, match="no such file"):
        score_file(tmp_path / "no.jsonl", tmp_path / "out.jsonl", OPTIONS)
    (tmp_path / "no.parquet").write_text("text")
    with pytest.raises(UserError, match="can't be read"):
        score_file(tmp_path / "no.parquet", tmp_path / "out.jsonl", OPTIONS)


def test_scores_lie_beside_a_file_but_not_beside_a_shard(
    jsonl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There they would be read as a part of the dataset."""
    (tmp_path / "here").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    main(["score", "none", str(jsonl)])
    assert jsonl.with_name("rows.scores.jsonl").exists()
    pq.write_table(pa.Table.from_pylist([{"question": "?", "steps": ["x"]}]), tmp_path / "data" / "train-0.parquet")
    main(["score", "none", str(tmp_path / "data" / "train-0.parquet")])
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["train-0.scores.jsonl"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["train-0.parquet"]


def test_earlier_scores_stay_unless_they_may_be_replaced(jsonl: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("earlier")
    with pytest.raises(UserError, match=r"out\.jsonl: exists: name another file with --out, or .* --overwrite"):
        score_file(jsonl, out, OPTIONS)
    assert out.read_text() == "earlier"
    score_file(jsonl, out, replace(OPTIONS, overwrite=True))
    assert len(out.read_text().splitlines()) == len(ROWS) + 1


def test_a_file_of_which_nothing_is_scored_is_an_error_of_its_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "rows.scores.jsonl"
    path.write_text("\n".join(json.dumps({"question": "?", "image": f"{k}.png", "steps": ["x"]}) for k in range(6)))
    with pytest.raises(SystemExit) as ended:
        main(["score", "none", str(path)])
    assert ended.value.code == 2
    assert "none of 6 solutions could be scored: 6 × missing_image (row 0: missing_image: " in capsys.readouterr().err
    assert not out.exists()
    path.write_text("")
    with pytest.raises(UserError, match="holds no solution"):
        score_file(path, out, OPTIONS)


def test_what_is_scored_survives_a_scorer_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text("".join(json.dumps({"question": "?", "steps": ["x" * (n % 7 + 1)]}) + "\n" for n in range(150)))
    score_file(file, tmp_path / "whole.jsonl", OPTIONS)
    calls: list[int] = []

    class Dies(Lengths):
        def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
            calls.append(len(candidates))
            if len(calls) == 2:
                raise RuntimeError("gone")
            return super().score_many(candidates)

    monkeypatch.setattr(scoring, "open_scorer", lambda _: nullcontext(Dies()))
    with pytest.raises(RuntimeError, match="gone"):
        score_file(file, out, OPTIONS)
    assert not out.exists()
    score_file(file, out, OPTIONS)
    assert calls == [64, 64, 64, 22]
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "in.jsonl",
        "out.jsonl",
        "whole.jsonl",
    ]
