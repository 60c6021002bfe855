"""Judgements as arrays say of every step what its votes say one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.schemas import table
from pipeline.store import Store
from stages.judge.answer import CATEGORIES, VERDICTS, Opinion
from stages.judge.records import JUDGEMENT_SCHEMA, JudgedSolution, Vote
from stages.judge.verdicts import Judgements
from stages.label_rules import LABELS, NEUTRAL

OPINIONS = st.builds(Opinion, st.sampled_from(VERDICTS), st.sampled_from(CATEGORIES))


def votes_on(steps: int) -> st.SearchStrategy[list[Vote]]:
    read = st.lists(OPINIONS, min_size=steps, max_size=steps).map(lambda said: Vote(1, 9, None, tuple(said)))
    return st.lists(read | st.just(Vote(2, 9, "cut", None)), max_size=4)


SOLUTIONS = st.lists(st.integers(0, 4).flatmap(lambda n: st.tuples(st.just(n), votes_on(n))), max_size=6)


class Said(NamedTuple):
    """What the votes say together of one step, and how many say so."""

    verdict: str | None
    category: str | None
    votes: int


def together(votes: Sequence[Sequence[Opinion]], steps: int) -> list[Said]:
    """One step at a time: the verdict of more than half of the votes, and the category that most of these give."""
    return [majority([vote[step] for vote in votes]) for step in range(steps)]


def majority(said: Sequence[Opinion]) -> Said:
    for verdict in VERDICTS:
        agree = [one.category for one in said if one.verdict == verdict]
        if 2 * len(agree) > len(said):
            return Said(verdict, max(CATEGORIES, key=agree.count), len(agree))
    return Said(None, None, 0)


def judgement(problem_id: str, solutions: list[JudgedSolution]) -> dict:
    """A row of the ledger."""
    plain = {"policy_key": "k", "judge_model": "m", "prompt_sha": "s", "show_answer": False, "error": None}
    counts = {"num_prompt_tokens": 1, "num_tokens": 1}
    return {"problem_id": problem_id, **plain, **counts, "solutions": [one.row() for one in solutions]}


def ledger(folder: Path, rows: list[dict], name: str = "0") -> Store:
    store = Store(str(folder))
    store.make()
    store.add_block(name, table(rows, JUDGEMENT_SCHEMA))
    with store.new_commit(name) as out:
        pq.write_table(pa.table({"problem_id": [each["problem_id"] for each in rows]}), out)
    return store


@given(given_=SOLUTIONS)
def test_arrays_say_what_votes_say_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, given_: list[tuple[int, list[Vote]]]
) -> None:
    solutions = [JudgedSolution(f"p1/k/s{k}", steps, votes) for k, (steps, votes) in enumerate(given_)]
    store = ledger(tmp_path_factory.mktemp("judged"), [judgement("p1", solutions)])
    asked = pa.array([*(one.solution_id for one in solutions), "p1/k/s99"])
    lengths = np.array([*(one.num_steps for one in solutions), 2])
    found = Judgements.of_runs([store]).of(asked, lengths)
    expected = [
        said
        for one in solutions
        for said in together([vote.steps for vote in one.votes if vote.steps is not None], one.num_steps)
    ]
    assert len(found.verdict) == len(expected) + 2
    assert [VERDICTS[code] if code >= 0 else None for code in found.verdict[:-2]] == [said.verdict for said in expected]
    assert [CATEGORIES[code] if code >= 0 else None for code in found.category[:-2]] == [
        one.category for one in expected
    ]
    assert found.votes[:-2].tolist() == [said.votes for said in expected]
    codes = {"correct": LABELS.index("+"), "incorrect": LABELS.index("-"), "neutral": NEUTRAL, None: -1}
    assert found.said[:-2].tolist() == [codes[said.verdict] for said in expected]
    assert (found.verdict[-2:].tolist(), found.votes[-2:].tolist()) == ([-1, -1], [0, 0])


RIGHT, WRONG, MISREAD = Opinion("correct", "none"), Opinion("incorrect", "logic"), Opinion("incorrect", "reading")


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([RIGHT, WRONG], (None, None, 0)),
        # Of equally many categories the first in the list.
        ([RIGHT, WRONG, MISREAD], ("incorrect", "reading", 2)),
        ([MISREAD, WRONG, RIGHT], ("incorrect", "reading", 2)),
        ([RIGHT, WRONG, WRONG, MISREAD], ("incorrect", "logic", 3)),
        ([], (None, None, 0)),
    ],
)
def test_more_than_half_of_the_votes_decide(
    tmp_path: Path, votes: list[Opinion], expected: tuple[str | None, str | None, int]
) -> None:
    one = JudgedSolution("p1/k/s0", 1, [Vote(1, 9, None, (each,)) for each in votes])
    found = Judgements.of_runs([ledger(tmp_path, [judgement("p1", [one])])]).of(pa.array(["p1/k/s0"]), np.array([1]))
    verdict, category = int(found.verdict[0]), int(found.category[0])
    named = (VERDICTS[verdict] if verdict >= 0 else None, CATEGORIES[category] if category >= 0 else None)
    assert (*named, int(found.votes[0])) == expected


def test_a_block_that_was_committed_twice_counts_once(tmp_path: Path) -> None:
    one = JudgedSolution("p1/k/s0", 1, [Vote(1, 9, None, (Opinion("correct", "none"),))])
    other = JudgedSolution("p2/k/s0", 1, [Vote(1, 9, None, (Opinion("incorrect", "logic"),))])
    ledger(tmp_path, [judgement("p1", [one]), judgement("p2", [other])])
    store = ledger(tmp_path, [judgement("p1", [one])], "1")
    found = Judgements.of_runs([store]).of(pa.array(["p2/k/s0", "p1/k/s0"]), np.array([1, 1]))
    assert [VERDICTS[code] for code in found.verdict] == ["incorrect", "correct"]
    assert found.votes.tolist() == [1, 1]


def test_a_solution_that_has_other_steps_now_is_refused(tmp_path: Path) -> None:
    one = JudgedSolution("p1/k/s0", 1, [Vote(1, 9, None, (Opinion("correct", "none"),))])
    judgements = Judgements.of_runs([ledger(tmp_path, [judgement("p1", [one])])])
    with pytest.raises(UserError, match="p1/k/s0: was judged with 1 steps, and has 2: judge again"):
        judgements.of(pa.array(["p1/k/s0"]), np.array([2]))


def test_without_judgements_nothing_is_said() -> None:
    found = Judgements.of_runs([]).of(pa.array(["p1/k/s0"]), np.array([2]))
    assert found.said.tolist() == [-1, -1]
