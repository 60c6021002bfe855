"""A published dataset's solutions as columns of steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from pipeline.config import LabelConfig
from pipeline.records import problem_of
from pipeline.store.dataset_files import shard_paths
from stages.judge.verdicts import JudgedSteps, Judgements
from stages.label import StepColumns
from stages.label_kinds.steps import LabelledSteps
from stages.publish.published_steps import PublishedSteps


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetSteps(LabelledSteps):
    """Those of a dataset, with what it says of them."""

    published: PublishedSteps

    def _labelled(self, kind: LabelConfig, judged: np.ndarray | None) -> StepColumns:
        return self.published.labelled(kind, judged)


def read_published(dataset: str, kind: str, judgements: Judgements | None) -> DatasetSteps:
    """All solutions of a dataset, whose labels are of this kind; a row group of texts is in memory.

    Raises:
        UserError: no dataset is there, or a solution was judged when it had other steps.
    """
    filesystem, shards = shard_paths(dataset)
    parts: list[PublishedSteps] = []
    judged: list[JudgedSteps] = []
    names: list[str] = []
    problems: list[str] = []
    for path in shards:
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            for group in range(file.num_row_groups):
                columns = ["id", "source", "steps_with_score"]
                rows = file.read_row_group(group, columns, use_threads=False).combine_chunks()
                parts.append(PublishedSteps.of(rows["steps_with_score"].chunk(0), kind))
                if judgements is not None:
                    judged.append(judgements.of(rows["id"].chunk(0), parts[-1].lengths))
                names += rows["source"].to_pylist()
                problems += map(problem_of, rows["id"].to_pylist())
    published = PublishedSteps.joined(parts)
    lengths = published.lengths
    steps, sources = int(lengths.sum()), sorted(set(names))
    numbers = {name: number for number, name in enumerate(sources)}
    return DatasetSteps(
        sources=sources,
        source=np.repeat(np.array([numbers[name] for name in names], np.int64), lengths),
        position=np.arange(steps) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1,
        problem=np.unique(np.repeat(np.array(problems, object).astype(str), lengths), return_inverse=True)[1],
        lengths=lengths,
        judged=None if judgements is None else JudgedSteps.joined(judged),
        truths={},
        people=np.full(steps, -1),
        published=published,
    )
