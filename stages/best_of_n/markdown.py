"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.markdown import compact_table, counted

SHOWN_SIZE = 8
"""The size of the paper's main table: sources and comparisons are shown for it and for the largest."""


def markdown(report: Mapping[str, Any]) -> str:
    """The report's tables with what must be said to read them."""
    pool, settings, sizes = report["pool"], report["settings"], report["sizes"]
    parts = [
        f"# Best-of-N: {pool['run']}",
        f"{counted(pool['problems'], 'problem')} × {pool['num_candidates']} candidates of {pool['policy_model']}"
        f" ({_drawn(pool['sampling'])}{_greedy(pool)}), pool {pool['hash'][:12]}. Accuracy in %,"
        " with 95 % intervals from a bootstrap over problems.",
        _accuracy_table(report["methods"], sizes),
        _notes(report, settings),
        *(_comparison_table(report["comparisons"], n) for n in _shown(sizes)),
        *(_source_table(report["methods"], sizes, n) for n in _shown(sizes)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _drawn(sampling: Mapping[str, Any]) -> str:
    temperature = sampling["temperature"]
    return "as the file has them" if temperature is None else f"temperature {temperature:g}"


def _greedy(pool: Mapping[str, Any]) -> str:
    return ", candidate 0 greedy" if pool["sampling"]["greedy_first"] else ""


def _shown(sizes: Sequence[int]) -> list[int]:
    return sorted({max(n for n in sizes if n <= SHOWN_SIZE), sizes[-1]} - {1})


def _accuracy_table(methods: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> str:
    rows = [
        [
            method["label"],
            *(f"{100 * p['mean']:.1f} [{100 * p['low']:.1f}, {100 * p['high']:.1f}]" for p in method["accuracy"]),
        ]
        for method in methods
    ]
    return compact_table(["choice", *(f"N = {n}" for n in sizes)], rows)


def _notes(report: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    ties = {
        method["label"]: ", ".join(
            f"{100 * share:.1f} % at {n}" for n, share in zip(report["sizes"], method["ties"], strict=True) if n > 1
        )
        for method in report["methods"]
        if method["ties"] is not None
    }
    unscored = [
        f"{name}: {', '.join(f'{count} {reason}' for reason, count in why.items())}"
        for name, why in report["unscored"].items()
        if why
    ]
    statuses = ", ".join(f"{count:,} {status}" for status, count in report["statuses"].items())
    member = "that hold the greedy candidate " if report["pool"]["sampling"]["greedy_first"] else ""
    lines = [
        f"Every number is the expected accuracy over all subsets of size N {member}of the pool: exact for pass@1, random,"
        f" rankings and the oracle, over at most {settings['subsets']:,} random subsets a problem and size for votes"
        f" (seed {settings['seed']}). Intervals and tests resample problems, not candidates.",
        f"Verdicts on the candidates: {statuses}. All but correct ones count as wrong; those without an answer don't vote.",
        *(f"Ties of {label}, decided by lot in expectation: {shares}." for label, shares in ties.items()),
        *(f"Responses without a score, ranked last: {text}." for text in unscored),
        *(f"Left out: {count} problems, {reason}." for reason, count in report["pool"]["failed"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _comparison_table(comparisons: Sequence[Mapping[str, Any]], n: int) -> str:
    rows = [
        [
            f"{row['first']} − {row['second']}",
            f"{100 * row['mean']:+.1f}",
            f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]",
            f"{row['p']:.4f}",
            "–" if row["detectable"] is None else f"{100 * row['detectable']:.1f}",
        ]
        for row in comparisons
        if row["n"] == n
    ]
    header = ["first − second", "points", "95 % interval", "p", "found with 80 % power"]
    return f"## Paired differences at N = {n}\n\n{compact_table(header, rows)}"


def _source_table(methods: Sequence[Mapping[str, Any]], sizes: Sequence[int], n: int) -> str:
    column = list(sizes).index(n)
    sources = list(methods[0]["by_source"])
    if len(sources) < 2:
        return ""
    rows = [
        [
            method["label"],
            *(f"{100 * method['by_source'][source][column]:.1f}" for source in sources),
            f"{100 * method['mean_of_sources'][column]:.1f}",
        ]
        for method in methods
    ]
    return f"## By source at N = {n}\n\n{compact_table(['choice', *sources, 'mean of sources'], rows)}"
