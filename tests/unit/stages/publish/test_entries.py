"""However a ledger is cut into files and whatever their order, its entries come in one order, and the first copy counts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import VERDICT_STATUSES
from stages.publish import entries
from stages.publish.entries import COUNT, Run, sorted_entries
from tests.unit.stages.publish.test_rows import LOCAL, Items, annotate, make_problem, write_run

Row = tuple[int, str, int]
"""A problem, a policy, and what tells one copy from another."""
ROWS = st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.integers(0, 3))
FILES = st.lists(st.lists(ROWS, min_size=1, max_size=6), max_size=8)


def ledger(folder: Path, files: list[list[Row]]) -> Run:
    """A run whose file number n holds the n-th of these rows; the copies of an entry differ in their number of tokens."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, rows in enumerate(files):
        items = [annotate(make_problem(seed), 1, policy) for seed, policy, _ in rows]
        one = write_run(folder / f"{number:03d}", items, problem_files=0, rows_per_file=len(rows))
        table = pq.read_table(one.ledger[0], partitioning=None)
        at = table.schema.get_field_index("num_tokens")
        copies = pa.array([copy for _, _, copy in rows], pa.int64())
        paths.append(str(folder / f"{number:03d}.parquet"))
        pq.write_table(table.set_column(at, "num_tokens", copies), paths[-1])
    return Run([], paths, 4, LOCAL)


def wanted(*runs: list[list[Row]]) -> list[Row]:
    """The rule, one row at a time: by problem and policy, and of each the first in the order of files."""
    first: dict[tuple[str, str], Row] = {}
    for files in runs:
        for rows in files:
            for row in rows:
                first.setdefault((make_problem(row[0]).problem_id, row[1]), row)
    return [first[key] for key in sorted(first)]


def found(*runs: Run) -> list[Row]:
    seeds = {make_problem(seed).problem_id: seed for seed in range(10)}
    return [(seeds[entry.problem_id], entry.policy_key, entry.num_tokens) for entry in sorted_entries(runs)]


@pytest.mark.parametrize(
    ("chains", "part"), [(64, 1 << 20), (0, 1 << 20), (0, 1)], ids=["merged", "sorted", "in parts"]
)
@settings(max_examples=20, deadline=None)
@given(one=FILES, two=FILES)
def test_entries_come_in_order_and_of_copies_the_first(
    chains: int, part: int, one: list[list[Row]], two: list[list[Row]]
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "MOST_CHAINS", chains)
        patch.setattr(entries, "PART_BYTES", part)
        patch.setattr(entries, "BATCH_BYTES", 1 if part == 1 else 1 << 20)
        runs = ledger(Path(folder, "one"), one), ledger(Path(folder, "two"), two)
        assert found(*runs) == wanted(one, two)


def test_files_of_one_order_are_one_chain(tmp_path: Path) -> None:
    items: Items = sorted(
        (annotate(make_problem(seed), 1) for seed in range(10)), key=lambda item: item.problem.problem_id
    )
    whole = write_run(tmp_path / "whole", items, rows_per_file=3)
    assert [len(chain) for chain in entries._chains([whole]) or ()] == [4]
    dealt = write_run(tmp_path / "dealt", items[::2] + items[1::2], rows_per_file=5)
    assert [len(chain) for chain in entries._chains([dealt]) or ()] == [1, 1]


def test_draws_are_counted_by_verdict(tmp_path: Path) -> None:
    item = annotate(make_problem(1), 1)
    (entry,) = sorted_entries([write_run(tmp_path / "run", [item])])
    (solution,) = entry.batch.slice(entry.row, 1).column("solutions").to_pylist()[0]
    for step, made in zip(solution["steps"], item.solutions[0].steps, strict=True):
        statuses = [draw.verdict.status for draw in made.draws]
        assert [step[COUNT.format(status)] for status in VERDICT_STATUSES] == list(
            map(statuses.count, VERDICT_STATUSES)
        )
