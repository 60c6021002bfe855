"""Solutions that are counted together give what they give one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES
from stages.label import label_columns
from stages.label_rules import LABELS, ORIGINS
from stages.publish.stats import Stats, count_solutions, count_steps

STEP = st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=6, max_size=6))
SOLUTION = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 5), st.lists(STEP, max_size=5))


@given(st.lists(SOLUTION, min_size=1, max_size=8))
def test_counts_do_not_depend_on_what_is_counted_together(given_: list) -> None:
    together, one_by_one = Stats(), Stats()
    sources = [source for source, _, _ in given_]
    verdicts = np.array([verdict for _, verdict, _ in given_])
    lengths = np.array([len(steps) for _, _, steps in given_])
    every = [step for _, _, steps in given_ for step in steps]
    origins = np.array([origin for origin, _ in every], np.int64)
    draws = np.array([drawn for _, drawn in every], np.int64).reshape(-1, 6)
    found = label_columns(verdicts, lengths, origins, draws, LabelConfig())
    count_solutions(together, pa.array(sources), verdicts, lengths, draws, found)
    start = 0
    for source, verdict, steps in given_:
        own = slice(start, start + len(steps))
        start += len(steps)
        tally = one_by_one.sources[source]
        labels = [LABELS[label] if label >= 0 else None for label in found.label[own]]
        scores = [None if np.isnan(score) else float(score) for score in found.score[own]]
        count_steps(tally, list(zip(labels, scores, [ORIGINS[origin] for origin in found.origin[own]], strict=True)))
        tally[f"responses.{VERDICT_STATUSES[verdict]}"] += 1
        for status, number in zip(VERDICT_STATUSES, draws[own].sum(axis=0).tolist(), strict=True):
            if number:
                tally[f"draws.{status}"] += number
    assert together.document() == one_by_one.document()
