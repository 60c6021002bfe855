"""A bench of labelled steps as a collection: the labels are people's, or an oracle's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import RowError
from stages.browse.arrays import step_lists
from stages.browse.collection import (
    ORIGINS,
    STATUSES,
    Kind,
    Part,
    Place,
    ProblemView,
    SolutionView,
    StepView,
    rows_table,
)
from stages.evaluate.bench import Bench, BenchSample, read_bench

_LABELS = {1: "+", -1: "-", 0: "0"}
_CODES = {1: 1, -1: 0, 0: -1}


class LabelledBench:
    """See `stages.browse.collection.Collection`. A bench fits into memory; solutions of one question stand together."""

    kind: Kind = "bench"
    has_draws = False
    stamp = ""

    def __init__(self, uri: str) -> None:
        """Raises:
        UserError: no bench is there.
        """
        self.uri, self.name = uri, Path(uri).resolve().stem
        self._bench: Bench = read_bench(uri)
        self._files = [Path(uri)] if Path(uri).is_file() else sorted(Path(uri).glob("*.json*"))

    def parts(self) -> list[Part]:
        """One part stands for all files: the bench is read as a whole."""
        stats = [path.stat() for path in self._files if path.exists()]
        return [Part(self.uri, sum(one.st_size for one in stats), max((one.st_mtime_ns for one in stats), default=0))]

    def figures(self) -> Mapping[str, Any]:
        return {}

    def read(self, part: Part) -> Iterator[pa.Table]:
        samples = self._bench.samples
        offsets, labels = [0], list[int]()
        for sample in samples:
            labels += (_CODES[label] for label in sample.labels)
            offsets.append(len(labels))
        steps = step_lists(
            pa.array(offsets, pa.int32()),
            label=pa.array(labels, pa.int8()),
            origin=pa.array([ORIGINS.index("given")] * len(labels), pa.int8()),
        )
        columns = {
            "problem_id": [problem_id(sample) for sample in samples],
            "solution_id": [sample.sample_id for sample in samples],
            "group": [0] * len(samples),
            "row": list(range(len(samples))),
            "source": [sample.source for sample in samples],
            "policy": [sample.policy for sample in samples],
            "question": [sample.question for sample in samples],
            "answer": [""] * len(samples),
            "text": ["\n\n".join(sample.steps) for sample in samples],
            "status": [STATUSES.index("unknown")] * len(samples),
        }
        yield rows_table(columns, steps)

    def problem(self, places: Sequence[Place]) -> ProblemView:
        samples = [self._bench.samples[place.row] for place in places]
        first = samples[0]
        return ProblemView(
            id=problem_id(first),
            source=first.source,
            question=first.question,
            answer="",
            images=len(first.images),
            solutions=[
                SolutionView(
                    sample.sample_id,
                    sample.policy,
                    None,
                    "unknown",
                    [
                        StepView(text, _LABELS[label], origin="given")
                        for text, label in zip(sample.steps, sample.labels, strict=True)
                    ],
                )
                for sample in samples
            ],
        )

    def pictures(self, place: Place) -> list[bytes]:
        found = []
        for name in self._bench.samples[place.row].images:
            try:
                found.append(self._bench.images.read(name))
            except RowError:
                # The page shows that it can't be read, as it does for a broken one.
                found.append(b"")
        return found


def problem_id(sample: BenchSample) -> str:
    """A short name of the question and its pictures."""
    return hashlib.sha256(sample.problem.encode()).hexdigest()[:32]
