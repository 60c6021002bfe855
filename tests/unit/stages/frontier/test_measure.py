"""Replayed strategies against small ledgers whose figures can be counted by hand, and the command on written ones."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import records
from pipeline.config import RolloutConfig, parse_config
from pipeline.errors import UserError
from pipeline.records import AnnotatedProblem, Draw, Problem, Solution, Step, Verdict, VerdictStatus
from pipeline.settings import dump_settings
from pipeline.store import Store
from stages.frontier.measure import compare, macro_f1
from stages.frontier.run import frontier, replayed, write_report
from stages.frontier.runs import write_runs
from stages.rollout.audit import audit
from stages.rollout.ledger import Recorded, recorded
from tests.unit.stages.annotate.test_earlier_run import write_ledger

FOUR = RolloutConfig(num_draws=4)


def one(hits: list[str], status: VerdictStatus = "incorrect", name: str = "p/k/s0") -> Recorded:
    """`hits` has a word of 0 and 1 for every step but the last; every draw has two tokens."""
    drawn = [[digit == "1" for digit in word] for word in hits] + [[]]
    tokens, context = [[2] * len(step) for step in drawn], [False] * len(drawn)
    return Recorded("p", name, 0, status, ["x"] * len(drawn), drawn, tokens, context)


def row(result: dict[str, Any], strategy: str) -> dict[str, Any]:
    return next(row for row in result["strategies"] if row["strategy"].startswith(strategy))


def test_costs_and_labels_are_counted_by_draws() -> None:
    base = RolloutConfig(num_draws=8, audit_fraction=0)
    result = compare([one(["11110000", "00001000", "00000000"])], base)
    assert result["ledger"]["zero_prefix_share"] == pytest.approx(1 / 3)
    assert row(result, "fixed")["draws"] == 24
    first = row(result, "first_success num_draws=8 rounds=4,4,8")
    assert (first["draws"], first["tokens"], first["label_agreement"]) == (4 + 8 + 8, 40, 1.0)
    assert first["mc_rmse_to_fixed"] == pytest.approx((0.25 / 3) ** 0.5)
    quick = row(result, "first_success num_draws=8 rounds=1,1,2,4,8")
    assert quick["draws"] == 1 + 8 + 8
    left = row(result, "right_to_left")
    assert left["draws"] == 8 + 8
    assert left["origins"] == {"implied": 1, "measured": 2, "own_answer": 1}
    assert left["labelled_share"] == 1
    assert row(result, "stop_after_zero")["draws"] == 24


def test_a_flawed_right_solution_is_what_an_audit_finds() -> None:
    flawed, wrong = one(["1111", "0000"], "correct"), one(["1111", "0000"])
    everything = compare([flawed, wrong], FOUR.model_copy(update={"audit_fraction": 1.0}))
    assert everything["audit"]["disagreement_in_audit"] == pytest.approx(1 / 6)
    nothing = compare([flawed, wrong], FOUR.model_copy(update={"audit_fraction": 0.0}))
    assert nothing["audit"]["disagreement_in_audit"] is None
    assert nothing["audit"]["disagreement_in_all"] == pytest.approx(1 / 6)
    assert row(nothing, "right_to_left")["label_agreement"] == pytest.approx(5 / 6)
    # A run with the strategy holds all draws of its audited solutions alone.
    many = [one(["1111", "0000"], "correct", f"p/k/s{number}") for number in range(200)]
    found = audit(many, FOUR.model_copy(update={"strategy": "right_to_left", "audit_fraction": 0.2}))
    assert 20 < found["audited_solutions"] < 60
    assert found["disagreement_in_audit"] == pytest.approx(1 / 3)


def test_the_truth_leaves_out_its_own_noise() -> None:
    rng, rates = random.Random(0), (0.1, 0.5, 0.9)
    solutions, truths, errors = [], {}, []
    for number in range(1_500):
        word = "".join("01"[rng.random() < rates[number % 3]] for _ in range(16))
        held_out = sum(rng.random() < rates[number % 3] for _ in range(16))
        solutions.append(one([word], name=f"p/k/s{number}"))
        truths[f"p/k/s{number}", 0] = [(held_out, 16), None]
        errors.append((word.count("1") / 16 - rates[number % 3]) ** 2)
    result = compare(solutions, RolloutConfig(), truths)
    true_error = (sum(errors) / len(errors)) ** 0.5
    assert row(result, "fixed")["mc_rmse_to_truth"] == pytest.approx(true_error, rel=0.1)
    assert row(result, "first_success")["mc_rmse_to_truth"] > true_error
    assert row(compare(solutions[:1], RolloutConfig()), "fixed")["mc_rmse_to_truth"] is None


def test_the_oracle_is_compared_with_the_labels() -> None:
    result = compare([one(["1111", "0000"])], FOUR, oracle=lambda problem, steps: [True, True, False])
    # Labels + − −: one right step kept, one lost, the wrong one found.
    assert row(result, "fixed")["oracle_macro_f1"] == pytest.approx(2 / 3)
    assert macro_f1({}) is None
    assert macro_f1({(True, True): 3}) is None


def ledger(folder: Path, draws: int, seed: int = 0, **settings: Any) -> Store:
    """A run of 12 problems in two blocks whose draws follow from their seeds."""
    store = Store(str(folder))
    config = parse_config({"name": "x", "sources": [{"name": "a", "path": "rows.jsonl"}],
                           "rollout": {"num_draws": draws, **settings}})  # fmt: skip
    store.write_text("config.yaml", dump_settings(config))
    items = []
    for number in range(12):
        steps = []
        for index in range(3):
            rng = random.Random(100 * number + index)
            drawn = tuple(
                Draw((1, 2, 3), "t", "stop", j, Verdict("correct" if rng.random() < 0.5 else "truncated"))
                for j in range(draws if index < 2 else 0)
            )
            steps.append(Step(f"step {index}", index, index + 1, True, drawn))
        solution = Solution(f"{number}/k/s0", "", (1, 2, 3), "stop", seed, Verdict("correct"), tuple(steps))
        problem = Problem(str(number), "s", "r", "q", "a", (), (), (), 1, "p")
        items.append(AnnotatedProblem(problem, (solution,), "m", "k", "p", "sha", "fixed"))
    failed = dataclasses.replace(items[0], solutions=(), error="odd: x",
                                 problem=dataclasses.replace(items[0].problem, problem_id="z"))  # fmt: skip
    store.filesystem.create_dir(store.path("problems"))
    store.write_json("problems.json", {"rejected": {}})
    store.write_json("ledger.json", {"seed": 0})
    store.write_text("quarantine/load.jsonl", "")
    write_ledger(store, {"1": [*items[:5], failed], "2": [*items[4:]]})
    return store


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = ledger(tmp_path, 4)
    rows = {row["problem_id"]: row for path in store.ledger_files() for row in pq.read_table(path).to_pylist()}
    solutions = list(recorded(store))
    assert [item.problem_id for item in solutions] == [str(number) for number in range(12)]
    for item in solutions:
        (written,) = map(records.solution_from_row, rows[item.problem_id]["solutions"])
        assert item.steps == [step.text for step in written.steps]
        assert item.hits == [[draw.verdict.status == "correct" for draw in step.draws] for step in written.steps]
        assert item.tokens == [[3] * len(step.draws) for step in written.steps]
        assert item.correct


def test_the_command_writes_table_figures_and_plot(tmp_path: Path) -> None:
    ledger(tmp_path / "run", 4)
    ledger(tmp_path / "long", 40)
    text = frontier(str(tmp_path / "run"), truth=str(tmp_path / "long"))
    assert "| `first_success rounds=4,4,8` |" in text
    assert "RMSE of mc to the truth" in text
    result = json.loads((tmp_path / "run" / "frontier" / "frontier.json").read_text())
    assert result["strategies"][0]["draws"] == 12 * 2 * 4
    assert result["strategies"][0]["mc_rmse_to_truth"] > 0
    assert (tmp_path / "run" / "frontier" / "frontier.md").read_text() in text
    assert (tmp_path / "run" / "frontier" / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_the_runs_that_strategies_would_have_left(tmp_path: Path) -> None:
    store = ledger(tmp_path / "run", 8)
    frontier(str(tmp_path / "run"), runs=str(tmp_path / "runs"))
    result = json.loads((tmp_path / "run" / "frontier" / "frontier.json").read_text())
    for folder in (tmp_path / "runs").iterdir():
        left = Store(str(folder))
        rows = [row for path in left.ledger_files() for row in pq.read_table(path).to_pylist()]
        (name,) = {item["strategy"] for item in rows}
        # One problem lies in two blocks of the ledger, here as there.
        draws = {item["problem_id"]: item["num_draws"] for item in rows}
        assert sum(draws.values()) == row(result, name)["draws"]
        solutions = {item["problem_id"]: item["solutions"] for item in rows}
        for item in recorded(store):
            for steps in [found["steps"] for found in solutions[item.problem_id]]:
                hits = [[draw["verdict"]["status"] == "correct" for draw in step["draws"]] for step in steps]
                assert hits == [whole[: len(part)] for whole, part in zip(item.hits, hits, strict=True)]
    assert len(list((tmp_path / "runs").iterdir())) == len(result["strategies"])


def test_options_of_an_address_stay_behind_the_names_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ledger(tmp_path / "run", 8)
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")), ["output_dir='s3://b/data/x?region=r'"])
    store.write_text("config.yaml", dump_settings(config))
    (left,) = write_runs(store, [config.rollout], str(tmp_path / "runs"))
    assert left == str(tmp_path / "runs/fixed-n8")
    assert "output_dir: s3://b/data/x-fixed-n8?region=r\n" in Store(left).read_text("config.yaml")
    monkeypatch.setattr("stages.frontier.runs._write_run", lambda *_: None)
    assert write_runs(store, [config.rollout], "s3://b/runs?region=r") == ["s3://b/runs/fixed-n8?region=r"]


def test_what_cannot_be_replayed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run is here"):
        frontier(str(tmp_path / "nowhere"))
    ledger(tmp_path / "cheap", 4, strategy="first_success")
    with pytest.raises(UserError, match=r"rollout\.strategy=first_success.*top the run up"):
        frontier(str(tmp_path / "cheap"))
    store = ledger(tmp_path / "run", 4)
    store.write_text("config.yaml", store.read_text("config.yaml").replace("num_draws: 4", "num_draws: 8"))
    with pytest.raises(UserError, match="lacks some of its 8 draws per prefix"):
        frontier(str(tmp_path / "run"))
    ledger(tmp_path / "run", 4)
    with pytest.raises(UserError, match="only draws beyond 4"):
        frontier(str(tmp_path / "run"), truth=str(tmp_path / "run"))
    ledger(tmp_path / "other", 40, seed=1)
    with pytest.raises(UserError, match="shares no solution"):
        frontier(str(tmp_path / "run"), truth=str(tmp_path / "other"))
    with pytest.raises(UserError, match=r"--oracle demo\.checks\.report:nothing: demo\.checks\.report has no function"):
        frontier(str(tmp_path / "run"), oracle="demo.checks.report:nothing")


def test_reward_models_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    ledger(tmp_path / "run", 8)
    result = replayed(str(tmp_path / "run"))
    assert "its PRM" not in write_report(result, str(tmp_path / "plain"))
    figures = {"macro_f1": 0.7, "macro_f1_interval": [0.61, 0.79], "problems": 3, "solutions": 12, "steps": 60}
    result["strategies"][0]["prm"] = figures
    text = write_report(result, str(tmp_path / "judged"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "| 0.700 [0.610, 0.790] |" in lines[2]
    assert "60 steps of 12 solutions to 3 held-out problems" in text
    assert json.loads((tmp_path / "judged" / "frontier.json").read_text())["strategies"][0]["prm"] == figures
    assert (tmp_path / "judged" / "frontier.png").read_bytes().startswith(b"\x89PNG")
