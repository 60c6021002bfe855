"""Two critics on the same samples: is one better, or was the bench kind to it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages import metrics
from stages.evaluate.bench import BenchSample
from stages.evaluate.critic import Scores
from stages.evaluate.report import Json, prepare, with_interval
from stages.evaluate.threshold import Rule


def compare(
    samples: Sequence[BenchSample],
    first: Sequence[Scores],
    second: Sequence[Scores],
    rule: Rule,
    resamples: int,
    seed: int,
) -> Json:
    """First minus second, over the steps that both scored, with paired bootstrap intervals over problems.

    Each critic has its own threshold by the same rule. `p` is two-sided: twice the share of resamples in which the
    difference is 0 or has the other sign, at least 1 / resamples. `detectable` is the true difference that this bench
    would show with a power of 80 % at the 5 % level.

    Raises:
        UserError: as `prepare`.
    """
    both = [
        [a is not None and b is not None for a, b in zip(*pair, strict=True)]
        for pair in zip(first, second, strict=True)
    ]
    ready = [prepare(samples, [_only(row, keep) for row, keep in zip(scores, both, strict=True)], rule)
             for scores in (first, second)]  # fmt: skip
    count = len(ready[0].kept)
    weights = metrics.resamples([sample.problem for sample, _ in ready[0].kept], resamples, seed)
    cells = [metrics.cells(one.columns, one.threshold, count) for one in ready]
    macro = [(metrics.macro_f1(each.sum(0)), metrics.macro_f1(weights @ each)) for each in cells]
    auc = [(metrics.auc(one.columns.right, one.columns.score),
            np.array([metrics.auc(one.columns.right, one.columns.score, row[one.columns.sample]) for row in weights]))
           for one in ready]  # fmt: skip
    return {
        "samples": count,
        "steps": len(ready[0].columns.score),
        "thresholds": [one.threshold for one in ready],
        "macro_f1": _difference(*macro),
        "auc": _difference(*auc),
    }


def _only(scores: Scores, keep: Sequence[bool]) -> Scores:
    return [score if kept else None for score, kept in zip(scores, keep, strict=True)]


def _difference(first: tuple[metrics.Floats, metrics.Floats], second: tuple[metrics.Floats, metrics.Floats]) -> Json:
    value, resampled = first[0] - second[0], first[1] - second[1]
    defined = resampled[~np.isnan(resampled)]
    p = None
    if len(defined):
        tail = min(float((defined <= 0).mean()), float((defined >= 0).mean()))
        p = min(1.0, 2 * max(tail, 1 / (2 * len(defined))))
    return {**with_interval(value, resampled), "p": p, "detectable": metrics.detectable(resampled)}
