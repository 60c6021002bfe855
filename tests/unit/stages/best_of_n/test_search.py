"""A search over whole problems, and what it shows its reward model."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.config import EngineConfig, load_config, parse_config
from pipeline.engine.scripted import ScriptedEngine
from pipeline.records import Problem
from stages.best_of_n import search
from stages.best_of_n.search import SearchSettings, _Searcher, search_problems
from stages.verify.version import verifier_version
from tests.integration.conftest import scripted
from tests.unit.stages.best_of_n.test_pool import Judge, critic

pytestmark = pytest.mark.usefixtures("shared_verifiers")


def test_the_options_are_shown_and_a_beginning_is_shown_as_one() -> None:
    config = parse_config({"name": "x", "sources": [{"name": "a", "path": "rows.jsonl"}]})
    problem = Problem("p0", "even", "r", "Which?", "B", (), ("3", "4"), ("choice",), 1, "p")
    judge = Judge()
    searcher = _Searcher(ScriptedEngine(EngineConfig(kind="scripted")), judge, config, SearchSettings())
    assert searcher._scores(problem, ["good\n\n", "bad\n\ngood"]) == [0.9, 0.6]
    assert [request.question for request in judge.asked] == ["Which?\nA. 3\nB. 4"] * 2
    assert [request.steps for request in judge.asked] == [("good", ""), ("bad", "good")]


def test_problems_are_searched_once_and_bad_rows_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judges: list[Judge] = []

    def load(critic: object) -> Judge:
        judges.append(Judge())
        return judges[-1]

    monkeypatch.setattr(search, "load_critic", load)
    (tmp_path / "bad.jsonl").write_text('{"id": "b", "question": "Why?"}\n')
    rows = {"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 24}}
    bad = {"name": "bad", "path": str(tmp_path / "bad.jsonl")}
    config = load_config(scripted(tmp_path, engine={"kind": "scripted", "max_in_flight": 8}, sources=[rows, bad]), [])
    prm, out = critic(tmp_path / "prm"), tmp_path / "found"

    def run() -> list[dict]:
        search_problems(config, prm, SearchSettings(beams=2, expand=2), str(out))
        rows = [row for part in sorted((out / "parts").iterdir()) for row in pq.read_table(part).to_pylist()]
        return sorted(rows, key=lambda row: row["problem_id"])

    first = run()
    assert len({row["problem_id"] for row in first}) == len(first) == 24
    assert all(row["status"] in ("correct", "incorrect", "no_answer", "truncated") for row in first)
    told = capsys.readouterr().out
    right = sum(row["status"] == "correct" for row in first)
    assert f"24 problems, 2 beams × 2: accuracy {100 * right / 24:.1f} %" in told
    (refused,) = (out / "quarantine" / "load.jsonl").read_text().splitlines()
    assert json.loads(refused)["source"] == "bad"
    # A stop: the part under way is lost, and only that is searched again, with the same result.
    (out / "parts" / "000002.parquet").unlink()
    asked = len(judges[0].asked)
    assert run() == first
    assert json.loads((out / "search.json").read_text())["verifiers"] == [verifier_version()]
    assert "another verifier" not in capsys.readouterr().err
    assert 0 < len(judges[1].asked) < asked
    assert run() == first
    assert len(judges) == 2
    # What another one judged is not mixed unseen.
    monkeypatch.setattr(search, "verifier_version", lambda: "later")
    (out / "parts" / "000002.parquet").unlink()
    run()
    assert json.loads((out / "search.json").read_text())["verifiers"] == [verifier_version(), "later"]
    assert f"by another verifier ({verifier_version()}; now later)" in capsys.readouterr().err
