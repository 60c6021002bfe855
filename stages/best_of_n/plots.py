"""A report as pictures: accuracy over N, of critics' first choices and of votes that critics weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.best_of_n.markdown import SHOWN_SIZE
from stages.plot_style import MOST, Plot, Series

BASELINES = ("pass@1", "self-consistency", "oracle")
"""Ways of choosing without a critic: in grey in every picture."""


def render(report: Mapping[str, Any]) -> dict[str, bytes]:
    """`report.png` and `votes.png`, each with its SVG: what each critic ranks first, and votes weighted by critics.

    Of a process reward model the aggregator is shown that votes and tests use; of many critics the best at N = 8.
    """
    files: dict[str, bytes] = {}
    for stem, kind, what in (
        ("report", "best", "the critic's first choice"),
        ("votes", "vote", "votes weighted by the critic"),
    ):
        ways = best(report, kind)
        if ways:
            files |= draw(report, [way["label"] for way in ways], _title(report, ways[0], what)).files(stem)
    return files or draw(report, [], "Accuracy without a critic").files("report")


def best(report: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """The ways of a kind, the most accurate at N = 8 first, as many as a picture takes."""
    column = _column(report["sizes"])
    aggregate = report["settings"]["aggregate"]
    ways = [way for way in report["methods"] if way["kind"] == kind and way["aggregate"] in (None, aggregate)]
    return sorted(ways, key=lambda way: -way["accuracy"][column]["mean"])[:MOST]


def draw(report: Mapping[str, Any], labels: Sequence[str], title: str, names: Mapping[str, str] | None = None) -> Plot:
    """Accuracy over N of the ways with these labels and of the baselines, with 95 % intervals as bands.

    Args:
        names: what a way is called in the picture, where that is not its label.
    """
    from matplotlib.ticker import NullLocator, ScalarFormatter

    plot = Plot(title, width=7.6, height=4.6)
    by_label = {way["label"]: way for way in report["methods"]}
    quiet = [way for way in report["methods"] if way["kind"] in BASELINES]
    series = [_series(way, way["label"], True) for way in quiet]
    series += [
        _series(by_label[label], (names or {}).get(label, label), False) for label in labels if label in by_label
    ]
    axes = plot.panels[0]
    axes.set_xscale("log", base=2)
    axes.set_xticks(report["sizes"])
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    plot.label(0, "95 % intervals over problems", "candidates N", "expected accuracy, %")
    plot.lines(0, series)
    return plot


def _series(way: Mapping[str, Any], name: str, quiet: bool) -> Series:
    numbers = [point["n"] for point in way["accuracy"]]
    low, mean, high = ([100 * point[key] for point in way["accuracy"]] for key in ("low", "mean", "high"))
    return Series(name, numbers, mean, None if quiet else low, None if quiet else high, quiet)


def _title(report: Mapping[str, Any], way: Mapping[str, Any], what: str) -> str:
    column = _column(report["sizes"])
    share = way["accuracy"][column]["mean"]
    return f"At N = {report['sizes'][column]}, {what} is right in {share:.1%} at best ({way['label']})"


def _column(sizes: Sequence[int]) -> int:
    return max(place for place, n in enumerate(sizes) if n <= SHOWN_SIZE)
