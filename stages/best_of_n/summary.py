"""From curves to a report's numbers: means with intervals, by source, and paired comparisons. Plain data for JSON."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.best_of_n.compare import bootstrap, compare
from stages.best_of_n.methods import Case, Curve, Method


def pairs(wanted: Sequence[Method], aggregate: str) -> list[tuple[Method, Method]]:
    """Which methods are tested against each other: each critic against none, the majority and the other critics.

    Of a process reward model `aggregate` alone is tested: the more tests, the more of them succeed by luck.
    """
    single, majority = Method("pass@1"), Method("self-consistency")
    best = [m for m in wanted if m.kind == "best" and m.scoring is not None and m.scoring[1] in ("", aggregate)]
    backed = [m for m in wanted if m.kind == "backed"]
    votes = [m for m in wanted if m.kind == "vote"]
    found = [(majority, single), *((critic, other) for critic in best for other in (single, majority))]
    return [
        *found,
        *itertools.combinations(best, 2),
        *((vote, majority) for vote in votes),
        *zip(votes, best, strict=True),
        *zip(backed, best, strict=True),
        *zip(backed, votes, strict=True),
    ]


def summarise(
    cases: Sequence[Case],
    found: Mapping[Method, Curve],
    sizes: Sequence[int],
    aggregate: str,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """`methods` and `comparisons` of a report."""
    flat = np.concatenate([curve.accuracy for curve in found.values()], axis=1)
    intervals = iter(bootstrap(flat, resamples, seed))
    sources = np.array([case.source for case in cases])
    described = [
        {
            "label": method.label,
            "kind": method.kind,
            "critic": method.scoring and method.scoring[0],
            "aggregate": method.scoring and (method.scoring[1] or None),
            "accuracy": [{"n": n, **dataclasses.asdict(next(intervals))} for n in sizes],
            "ties": None if curve.ties is None else [float(share) for share in curve.ties.mean(axis=0)],
            **_by_source(curve, sources),
        }
        for method, curve in found.items()
    ]
    return {"methods": described, "comparisons": _comparisons(found, sizes, aggregate, resamples, seed)}


def _by_source(curve: Curve, sources: np.ndarray) -> dict[str, Any]:
    """Accuracy at every size for each source, and their plain mean, as the paper's "overall" is."""
    means = {str(name): curve.accuracy[sources == name].mean(axis=0) for name in np.unique(sources)}
    return {
        "by_source": {name: [float(value) for value in values] for name, values in means.items()},
        "mean_of_sources": [float(value) for value in np.mean(list(means.values()), axis=0)],
    }


def _comparisons(
    found: Mapping[Method, Curve], sizes: Sequence[int], aggregate: str, resamples: int, seed: int
) -> list[dict[str, Any]]:
    rows = []
    for first, second in pairs(list(found), aggregate):
        differences = compare(found[first].accuracy, found[second].accuracy, resamples, seed)
        for n, difference in zip(sizes, differences, strict=True):
            detectable = None if math.isnan(difference.detectable) else difference.detectable
            rows.append(
                {
                    "first": first.label,
                    "second": second.label,
                    "n": n,
                    **dataclasses.asdict(difference.interval),
                    "p": difference.p,
                    "detectable": detectable,
                }
            )
    return rows
