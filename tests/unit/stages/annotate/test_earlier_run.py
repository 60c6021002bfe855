"""What a run takes over from an earlier one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import records, schemas
from pipeline.config import RunConfig, parse_config
from pipeline.errors import UserError
from pipeline.records import AnnotatedProblem, Draw, Image, Problem, Solution, Step, Verdict
from pipeline.store import Store
from stages.annotate.counters import Meter
from stages.annotate.earlier_run import Given, read_given, take_over
from stages.annotate.settings_lock import check_earlier, lock_settings


def problem(key: str) -> Problem:
    return Problem(key, "s", "r", "How many?", "4", (Image.of(key.encode()),), (), ("number",), 1, "p")


def solution(key: str, draws: int) -> Solution:
    drawn = tuple(Draw((1, 2), "4", "stop", 7 + j, Verdict("correct")) for j in range(draws))
    return Solution(f"{key}/k/s0", "a", (5, 6, 7), "stop", 3, Verdict("correct"), (Step("a", 0, 3, True, drawn),))


def item(key: str, draws: int, error: str | None = None) -> AnnotatedProblem:
    solutions = () if error else (solution(key, draws),)
    return AnnotatedProblem(problem(key), solutions, "m", "k", "p", "sha", "fixed", error)


def write_ledger(store: Store, blocks: dict[str, list[AnnotatedProblem]]) -> None:
    for name, items in blocks.items():
        for folder, file, schema in (("annotations", f"{name}-0", schemas.LEDGER_SCHEMA), ("checkpoint", name, None)):
            store.filesystem.create_dir(store.path(folder))
            rows = schemas.table(map(records.ledger_row, items), schemas.LEDGER_SCHEMA)
            rows = rows if schema else rows.select(["problem_id"])
            pq.write_table(rows, store.path(folder, f"{file}.parquet"))


@pytest.fixture
def earlier(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "earlier"))
    for part, keys in enumerate(("ab", "cde")):
        store.filesystem.create_dir(store.path("problems"))
        rows = schemas.table((records.problem_row(problem(key)) for key in keys), schemas.PROBLEM_SCHEMA)
        rows = rows.append_column("responses", pa.array([["a text"]] * len(keys)))
        pq.write_table(rows, store.path("problems", f"part-{part:05d}.parquet"), row_group_size=2)
    store.write_text("quarantine/load.jsonl", '{"id": "bad"}\n')
    store.write_json("problems.json", {"rejected": {"duplicate": 1}})
    write_ledger(store, {"1": [item("a", 4), item("c", 2)], "2": [item("b", 0, "prompt_too_long: x"), item("a", 9)]})
    return store


def test_problems_come_with_the_place_of_their_solutions(tmp_path: Path, earlier: Store) -> None:
    store = Store(str(tmp_path / "new"))
    take_over(store, earlier)
    rows = [row for path in store.problem_files() for row in pq.read_table(path).to_pylist()]
    assert list(map(records.problem_from_row, rows)) == [problem(key) for key in "abcde"]
    assert {tuple(row["responses"]) for row in rows} == {("a text",)}
    assert store.read_json("problems.json") == {"rejected": {"duplicate": 1}}
    assert store.read_text("quarantine/load.jsonl") == '{"id": "bad"}\n'
    # `b` failed, `d` and `e` are pending: they are sampled anew. Of `a` the first file counts.
    assert read_given(rows) == {"a": Given((solution("a", 4),)), "c": Given((solution("c", 2),))}
    further = Store(str(tmp_path / "further"))
    write_ledger(store, {"1": [item("e", 1)]})
    take_over(further, store)
    rows = [row for path in further.problem_files() for row in pq.read_table(path).to_pylist()]
    assert read_given(rows) == {"e": Given((solution("e", 1),))}


def test_rows_of_a_first_run_have_nothing_given(earlier: Store) -> None:
    assert read_given(pq.read_table(earlier.problem_files()[0]).to_pylist()) == {}


def config(*overrides: str) -> RunConfig:
    data = {"name": "x", "prompt": "prompts/demo_v1.txt", "sources": [{"name": "a", "path": "rows.jsonl"}]}
    return parse_config(data, overrides)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (("name=y", "rollout.strategy=first_success", "rollout.rounds=[1,2]", "rollout.num_draws=64"), None),
        (("sampling.temperature=0.5",), "sampling.temperature (1.0, now 0.5)"),
        (("rollout.complete_prefix=sample",), "rollout.complete_prefix (own_answer, now sample)"),
        (("split.max_steps=6", "seed=2"), "seed (0, now 2), split.max_steps (12, now 6)"),
    ],
)
def test_only_the_strategy_may_differ(earlier: Store, overrides: tuple[str, ...], named: str | None) -> None:
    lock_settings(earlier, config(), {"p": "{question}"}, "model@1")
    after = config("input.ledger=there", *overrides)
    if named is None:
        check_earlier(earlier, after, {"p": "{question}"}, "model@1")
    else:
        with pytest.raises(UserError) as caught:
            check_earlier(earlier, after, {"p": "{question}"}, "model@1")
        assert named in str(caught.value)
    with pytest.raises(UserError, match=r"engine\.model \(model@1, now model@2\)"):
        check_earlier(earlier, config(), {"p": "{question}"}, "model@2")


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"input\.ledger: .*nowhere: no run"):
        check_earlier(Store(str(tmp_path / "nowhere")), config(), {}, "m")


def test_the_meter_counts_what_was_generated_alone(tmp_path: Path) -> None:
    meter = Meter(Store(str(tmp_path)))
    meter.add(item("a", 4))
    assert (meter.snapshot()["draws"], meter.snapshot()["tokens"]) == (4, 3 + 8)
    meter.add(item("b", 16), [solution("b", 10)])
    assert (meter.snapshot()["draws"], meter.snapshot()["tokens"]) == (4 + 6, 11 + 12)
    assert meter.snapshot()["verdicts"] == {"correct": 10}
