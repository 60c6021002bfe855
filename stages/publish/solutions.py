"""Problems with their solutions become rows of the published dataset, a row group at a time and a column at a time.

Texts and images go from the inputs' columns into the rows' without becoming objects of Python; counts and labels of steps
are computed by `stages/label.py`, of many solutions at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.columns import codes_of, lengths_of, listed
from pipeline.records import VERDICT_STATUSES, VerdictStatus, asked
from pipeline.schemas import JUDGE_FIELDS, PUBLISHED_SCHEMA
from stages.judge.answer import CATEGORIES, VERDICTS
from stages.judge.verdicts import JudgedSteps, Judgements
from stages.label import StepColumns
from stages.label_rules import LABELS, ORIGINS
from stages.publish.entries import COUNT, Entry
from stages.publish.features import with_features
from stages.publish.stats import Stats, count_solutions

Labeller = Callable[..., StepColumns]
"""Gives each step of some solutions its counts, its score and its hard label (`stages.label.label_columns`)."""

_CORRECT: dict[VerdictStatus, bool | None] = {
    "correct": True,
    "incorrect": False,
    "no_answer": False,
    "truncated": False,
    "timeout": None,
    "error": None,
}
_RIGHT = pa.array([_CORRECT[status] for status in VERDICT_STATUSES])


@dataclass(slots=True)
class PublishedProblem:
    """A problem of the dataset: its plain columns, hash and size of each image, row `row` of its file's `batch`, and
    what the ledgers hold of it.
    """

    problem_id: str
    source: str
    row_id: str
    contamination: Sequence[str] | None
    images: Sequence[tuple[str, int]]
    batch: pa.RecordBatch
    row: int
    entries: Sequence[Entry] = ()

    @property
    def rows(self) -> int:
        """Solutions, of which each is a row."""
        return sum([entry.solutions for entry in self.entries])


def published_table(
    problems: Sequence[PublishedProblem], label: Labeller, stats: Stats, judgements: Judgements | None = None
) -> pa.Table:
    """The rows of some problems, which are counted in `stats`. Each problem has one at least.

    `judgements` are those that labels heed, of which there are columns then.
    """
    entries = [(index, entry) for index, problem in enumerate(problems) for entry in problem.entries]
    held, place = _gathered((entry.batch, entry.row) for _, entry in entries)
    given, problem_place = _gathered((problem.batch, problem.row) for problem in problems)
    lists = _in_order(held["solutions"].chunk(0), place)
    solutions = lists.flatten()
    entry_of = np.repeat(np.arange(len(entries)), lengths_of(lists))
    problem_of = np.array([index for index, _ in entries])[entry_of]
    in_held, in_given = pa.array(place[entry_of]), pa.array(problem_place[problem_of])

    schema = with_features(schema_of(judgements))
    overlaps = pa.array([problem.contamination for problem in problems], schema.field("contamination").type)
    columns = {
        "id": solutions.field("solution_id"),
        "response": solutions.field("text"),
        "response_answer": solutions.field("answer"),
        "num_mc_sequences": held["num_draws"].chunk(0).take(in_held),
        **{name: held[name].chunk(0).take(in_held) for name in ("prompt", "policy_model", "prompt_sha")},
        "images": _pictures(given["images"].chunk(0).take(in_given), schema.field("images").type),
        **{name: given[name].chunk(0).take(in_given) for name in ("source", "answer")},
        "question": _asked(given).take(in_given),
        "contamination": overlaps.take(pa.array(problem_of)),
    }

    steps = solutions.field("steps")
    verdicts, lengths, draws = codes_of(solutions.field("status"), VERDICT_STATUSES), lengths_of(steps), _counts(steps)
    judged = None if judgements is None else judgements.of(solutions.field("solution_id"), lengths)
    heeded = {} if judged is None else {"judged": judged.said}
    found = label(verdicts, lengths, codes_of(steps.flatten().field("origin"), ORIGINS), draws, **heeded)
    count_solutions(stats, columns["source"], verdicts, lengths, draws, found)
    of_policy = (held[name].to_pylist() for name in ("policy_model", "prompt_sha", "strategy"))
    for *policy, number in zip(*of_policy, lengths_of(held["solutions"].chunk(0)).tolist(), strict=True):
        stats.policies[tuple(policy)] += number
    columns |= {
        "steps_with_score": _steps(steps, found, schema.field("steps_with_score").type),
        "response_correct": _RIGHT.take(pa.array(verdicts)),
        **({} if judged is None else judge_columns(judged, steps)),
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def schema_of(judgements: Judgements | None) -> pa.Schema:
    """The published columns: with those of a judge, where labels heed one."""
    return PUBLISHED_SCHEMA if judgements is None else pa.schema([*PUBLISHED_SCHEMA, *JUDGE_FIELDS])


def judge_columns(judged: JudgedSteps, steps: pa.ListArray) -> dict[str, pa.ListArray]:
    """By the names of `JUDGE_FIELDS`; null where the judge says nothing of a step."""
    none = judged.verdict < 0
    values = (
        pa.array(VERDICTS).take(pa.array(judged.verdict, mask=none)),
        pa.array(CATEGORIES).take(pa.array(judged.category, mask=none)),
        pa.array(judged.votes, pa.int32(), mask=none),
    )
    return {field.name: listed(steps, column, field.type) for field, column in zip(JUDGE_FIELDS, values, strict=True)}


def _gathered(places: Iterable[tuple[pa.RecordBatch, int]]) -> tuple[pa.Table, np.ndarray]:
    """Rows of several batches in one piece, those of a batch together, and where in it each of them is."""
    rows: dict[int, list[int]] = {}
    batches: dict[int, pa.RecordBatch] = {}
    order: list[tuple[int, int]] = []
    for batch, row in places:
        own = rows.setdefault(id(batch), [])
        batches[id(batch)] = batch
        order.append((id(batch), len(own)))
        own.append(row)
    pieces = [_rows(batches[key], own) for key, own in rows.items()]
    # Files of one run may lack a column that those of another have: the problems have what it says.
    names = [name for name in pieces[0].schema.names if all(name in each.schema.names for each in pieces)]
    table = pa.Table.from_batches([each.select(names) for each in pieces]).combine_chunks()
    starts = dict(zip(rows, itertools.accumulate(map(len, rows.values()), initial=0), strict=False))
    return table, np.array([starts[key] + row for key, row in order])


def _in_order(values: pa.Array, place: np.ndarray) -> pa.Array:
    """The values at these places, which are all; they are not copied if they lie there in order."""
    return values if np.all(np.diff(place) == 1) else values.take(pa.array(place))


def _asked(given: pa.Table) -> pa.Array:
    """The questions as the policy was asked them."""
    questions, options = given["question"].chunk(0), given["options"].chunk(0)
    if not lengths_of(options).any():
        return questions
    return pa.array(map(asked, questions.to_pylist(), options.to_pylist()), pa.string())


def _rows(batch: pa.RecordBatch, rows: Sequence[int]) -> pa.RecordBatch:
    """Some rows, which mostly are neighbours and then are not copied."""
    first, last = rows[0], rows[-1]
    if rows == list(range(first, last + 1)):
        return batch.slice(first, len(rows))
    return batch.take(pa.array(rows))


def _counts(steps: pa.ListArray) -> np.ndarray:
    """How many draws of each step have each verdict, [steps, verdicts]."""
    flat = steps.flatten()
    return np.stack([flat.field(COUNT.format(status)).to_numpy() for status in VERDICT_STATUSES], axis=1)


def _steps(steps: pa.ListArray, found: StepColumns, type: pa.ListType) -> pa.ListArray:
    fields = {each.name: each for each in type.value_type}
    unmeasured = found.total == 0
    columns = {
        "step": steps.flatten().field("text"),
        "score": pa.array(found.score, fields["score"].type, mask=unmeasured),
        "num_mc_correct": pa.array(found.correct, fields["num_mc_correct"].type, mask=unmeasured),
        "num_mc_total": pa.array(found.total, fields["num_mc_total"].type, mask=unmeasured),
        "label": pa.array(LABELS).take(pa.array(found.label, mask=found.label < 0)),
        "origin": pa.array(ORIGINS).take(pa.array(found.origin)),
    }
    values = pa.StructArray.from_arrays([columns[name] for name in fields], fields=list(fields.values()))
    return listed(steps, values, type)


def _pictures(images: pa.ListArray, type: pa.ListType) -> pa.ListArray:
    flat = images.flatten()
    values = pa.StructArray.from_arrays([flat.field("data"), flat.field("sha256")], fields=list(type.value_type))
    return listed(images, values, type)
