"""Problems with their solutions become rows of the published dataset, a row group at a time and a column at a time.

Texts and images go from the inputs' columns into the rows' without becoming objects of Python; counts and labels of steps
are computed by `stages/label.py`, of many solutions at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipeline.columns import codes_of, lengths_of
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
    question: str
    options: Sequence[str]
    contamination: Sequence[str] | None
    images: Sequence[tuple[str, int]]
    batch: pa.RecordBatch
    row: int
    entries: Sequence[Entry] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Solutions, of which each is a row."""
        return sum(entry.solutions for entry in self.entries)


def published_table(
    problems: Sequence[PublishedProblem], label: Labeller, stats: Stats, judgements: Judgements | None = None
) -> pa.Table:
    """The rows of some problems, which are counted in `stats`. Each problem has one at least.

    `judgements` are those that labels heed, of which there are columns then.
    """
    entries = [(index, entry) for index, problem in enumerate(problems) for entry in problem.entries]
    held = _gathered((entry.batch, entry.row) for _, entry in entries)
    given = _gathered((problem.batch, problem.row) for problem in problems)
    lists = held["solutions"].chunk(0)
    solutions = lists.flatten()
    entry_of = np.repeat(np.arange(len(entries)), lengths_of(lists))
    problem_of = np.array([index for index, _ in entries])[entry_of]

    steps = solutions.field("steps")
    verdicts, lengths, draws = codes_of(solutions.field("status"), VERDICT_STATUSES), lengths_of(steps), _counts(steps)
    judged = None if judgements is None else judgements.of(solutions.field("solution_id"), lengths)
    heeded = {} if judged is None else {"judged": judged.said}
    found = label(verdicts, lengths, codes_of(steps.flatten().field("origin"), ORIGINS), draws, **heeded)
    count_solutions(stats, [problems[index].source for index in problem_of], verdicts, lengths, draws, found)
    for index, number in enumerate(lengths_of(lists).tolist()):
        line = entries[index][1]
        stats.policies[line.policy_model, line.prompt_sha, line.strategy] += number

    schema = with_features(schema_of(judgements))
    columns = {
        "id": solutions.field("solution_id"),
        "response": solutions.field("text"),
        "steps_with_score": _steps(steps, found, schema.field("steps_with_score").type),
        "response_answer": solutions.field("answer"),
        "response_correct": _RIGHT.take(pa.array(verdicts)),
        "num_mc_sequences": held["num_draws"].chunk(0).take(pa.array(entry_of)),
        **{name: held[name].chunk(0).take(pa.array(entry_of)) for name in ("prompt", "policy_model", "prompt_sha")},
        **({} if judged is None else _judge_columns(judged, steps)),
        "images": _pictures(given["images"].chunk(0).take(pa.array(problem_of)), schema.field("images").type),
        **{
            name: column.take(pa.array(problem_of))
            for name, column in {
                "source": given["source"].chunk(0),
                "answer": given["answer"].chunk(0),
                "question": pa.array([asked(problem.question, problem.options) for problem in problems], pa.string()),
                "contamination": pa.array(
                    [problem.contamination for problem in problems], schema.field("contamination").type
                ),
            }.items()
        },
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def schema_of(judgements: Judgements | None) -> pa.Schema:
    """The published columns: with those of a judge, where labels heed one."""
    return PUBLISHED_SCHEMA if judgements is None else pa.schema([*PUBLISHED_SCHEMA, *JUDGE_FIELDS])


def _judge_columns(judged: JudgedSteps, steps: pa.ListArray) -> dict[str, pa.ListArray]:
    """By the names of `JUDGE_FIELDS`; null where the judge says nothing of a step."""
    none = judged.verdict < 0
    values = (
        pa.array(VERDICTS).take(pa.array(judged.verdict, mask=none)),
        pa.array(CATEGORIES).take(pa.array(judged.category, mask=none)),
        pa.array(judged.votes, pa.int32(), mask=none),
    )
    offsets = _offsets(steps)
    return {
        field.name: pa.ListArray.from_arrays(offsets, column, type=field.type)
        for field, column in zip(JUDGE_FIELDS, values, strict=True)
    }


def _gathered(places: Iterable[tuple[pa.RecordBatch, int]]) -> pa.Table:
    """Rows of several batches in one piece. Those of a batch are taken together, and then put in their order."""
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
    if len(pieces) == 1:
        return table
    starts = dict(zip(rows, itertools.accumulate(map(len, rows.values()), initial=0), strict=False))
    return table.take(pa.array([starts[key] + row for key, row in order])).combine_chunks()


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
    return pa.ListArray.from_arrays(_offsets(steps), values, type=type)


def _pictures(images: pa.ListArray, type: pa.ListType) -> pa.ListArray:
    flat = images.flatten()
    values = pa.StructArray.from_arrays([flat.field("data"), flat.field("sha256")], fields=list(type.value_type))
    return pa.ListArray.from_arrays(_offsets(images), values, type=type)


def _offsets(lists: pa.ListArray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths_of(lists))]).astype(np.int32))
