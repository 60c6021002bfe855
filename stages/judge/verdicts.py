"""What a ledger of judgements says of each step, for whoever publishes: small enough to be in memory, whatever the run's size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.columns import codes_of, lengths_of
from pipeline.errors import UserError
from pipeline.store import Store
from stages.judge.answer import CATEGORIES, VERDICTS
from stages.label_rules import LABELS, NEUTRAL

_SOLUTION = "solutions.list.element."
_OPINION = _SOLUTION + "votes.list.element.steps.list.element."
_COLUMNS = [_SOLUTION + "solution_id", _SOLUTION + "num_steps", _OPINION + "verdict", _OPINION + "category"]
_SAID = np.array([LABELS.index("+"), LABELS.index("-"), NEUTRAL, -1])
"""What each verdict says of a step, and at the end none."""


@dataclass(frozen=True, slots=True)
class JudgedSteps:
    """What the votes say together of some steps, an entry a step.

    `verdict` indexes `VERDICTS` and `category` `CATEGORIES`; both are -1 where more than half of the votes that could be read
    say nothing. `votes` is how many say so.
    """

    verdict: np.ndarray
    category: np.ndarray
    votes: np.ndarray

    @property
    def said(self) -> np.ndarray:
        """An index into `LABELS` each (`correct` is `+`, `incorrect` is `-`), `NEUTRAL`, or -1 without a verdict."""
        found: np.ndarray = _SAID[self.verdict]
        return found

    @classmethod
    def joined(cls, parts: Sequence[JudgedSteps]) -> JudgedSteps:
        """All of them, one after the other."""
        names = ("verdict", "category", "votes")
        return cls(*(np.concatenate([np.zeros(0, np.int64), *(getattr(one, name) for one in parts)]) for name in names))

    def take(self, places: np.ndarray) -> JudgedSteps:
        """The steps at these places; -1 for a step that is not there."""
        there = places >= 0
        held = (
            (self.verdict, -1),
            (self.category, -1),
            (self.votes, 0),
        )
        taken = [
            np.where(there, column[places], none) if len(column) else np.full(len(places), none)
            for column, none in held
        ]
        return JudgedSteps(*taken)


@dataclass(frozen=True, slots=True)
class Judgements:
    """What was said of many solutions: their ids, sorted, as bytes, where the steps of each begin, and the steps."""

    ids: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    steps: JudgedSteps

    @classmethod
    def of_runs(cls, stores: Sequence[Store]) -> Judgements:
        """From committed ledgers of judgements, file by file."""
        return cls.of_parts(solutions for store in stores for solutions in _tables(store))

    @classmethod
    def of_parts(cls, solutions: Iterable[pa.StructArray]) -> Judgements:
        """From judged solutions, as `records.JUDGED_SOLUTION` has them."""
        parts = [_judged(each) for each in solutions]
        ids = np.concatenate([np.zeros(0, "S1"), *(part[0] for part in parts)])
        lengths = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
        columns = zip(*((part[2].verdict, part[2].category, part[2].votes) for part in parts), strict=True)
        steps = JudgedSteps(*map(np.concatenate, columns)) if parts else JudgedSteps(*(np.zeros(0, np.int64),) * 3)
        starts = np.cumsum(lengths) - lengths
        # Of a block that was committed twice around a crash, the first counts.
        ids, first = np.unique(ids, return_index=True)
        return cls(ids, starts[first], lengths[first], steps)

    def of(self, solution_ids: pa.Array, lengths: np.ndarray) -> JudgedSteps:
        """What is said of the steps of these solutions, which have so many steps each; nothing of those that nobody judged.

        Raises:
            UserError: a solution was judged when it had another number of steps.
        """
        wanted = np.array(solution_ids.to_pylist(), "S")
        place = np.searchsorted(self.ids, wanted)
        found = place < len(self.ids)
        found[found] = self.ids[place[found]] == wanted[found]
        held = np.where(found, self.lengths[np.where(found, place, 0)], lengths) if len(self.ids) else lengths
        if len(odd := np.flatnonzero((held != lengths) & (held > 0))):
            raise UserError(
                f"{wanted[odd[0]].decode()}: was judged with {held[odd[0]]} steps, and has {lengths[odd[0]]}: judge again"
            )
        known = np.repeat(found & (held == lengths), lengths)
        starts = self.starts[np.where(found, place, 0)] if len(self.ids) else np.zeros_like(lengths)
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.steps.take(np.where(known, np.repeat(starts, lengths) + within, -1))


def _tables(store: Store) -> Iterable[pa.StructArray]:
    """The judged solutions of each file."""
    for path in store.ledger_files():
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            yield from (chunk.flatten() for chunk in file.read(columns=_COLUMNS)["solutions"].chunks)


def _judged(solutions: pa.StructArray) -> tuple[np.ndarray, np.ndarray, JudgedSteps]:
    """Ids and numbers of steps of some solutions, and what the votes say of the steps.

    More than half of the votes that could be read decide. Of equally many categories the first in `CATEGORIES` counts, so that the
    order of votes decides nothing.
    """
    ids = np.array(solutions.field("solution_id").to_pylist(), "S")
    lengths = solutions.field("num_steps").to_numpy(zero_copy_only=False).astype(np.int64)
    votes = solutions.field("votes")
    said = votes.flatten().field("steps")
    opinions = said.flatten()
    of_vote = np.repeat(np.arange(len(ids)), lengths_of(votes))
    sizes = lengths_of(said)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.repeat((np.cumsum(lengths) - lengths)[of_vote], sizes) + within
    total = int(lengths.sum())
    verdicts = codes_of(opinions.field("verdict"), VERDICTS)
    counts = _counts(step, verdicts, total, len(VERDICTS))
    most = counts.max(axis=1, initial=0)
    verdict = np.where(2 * most > counts.sum(axis=1), counts.argmax(axis=1), -1)
    agree = verdicts == verdict[step]
    categories = _counts(step[agree], codes_of(opinions.field("category"), CATEGORIES)[agree], total, len(CATEGORIES))
    category = np.where(verdict >= 0, categories.argmax(axis=1), -1)
    return ids, lengths, JudgedSteps(verdict.astype(np.int8), category.astype(np.int8), np.where(verdict >= 0, most, 0))


def _counts(of: np.ndarray, kind: np.ndarray, total: int, kinds: int) -> np.ndarray:
    return np.bincount(of * kinds + kind, minlength=total * kinds).reshape(total, kinds)
