"""The report as a picture: calibration on the left, F1 against the threshold on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.plot_style import COLOURS, INK, SOFT, Plot, Series

EDGES = (-0.03, 1.03)


def render(title: str, report: Mapping[str, Any]) -> dict[str, bytes]:
    """`report.png` and `report.svg`. The same report gives the same bytes."""
    plot = Plot(title, panels=2)
    _calibration(plot, report["calibration"])
    _curves(plot, report)
    return plot.files("report")


def _calibration(plot: Plot, calibration: Mapping[str, Any]) -> None:
    bins, axes = calibration["bins"], plot.panels[0]
    if not bins:
        plot.label(0, "Scores are not probabilities", "score", "share of steps that are right", xlim=EDGES, ylim=EDGES)
        return
    title = f"Scores are off by {calibration['ece']:.3f} on average (area: steps)"
    plot.label(0, title, "score", "share of steps that are right", xlim=EDGES, ylim=EDGES)
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    axes.text(0.99, 0.93, "calibrated", color=INK, fontsize=9, ha="right", va="top")
    most = max(one["steps"] for one in bins)
    sizes = [20 + 180 * one["steps"] / most for one in bins]
    x, y = [one["mean_score"] for one in bins], [one["share_right"] for one in bins]
    axes.plot(x, y, color=COLOURS[0], linewidth=1)
    axes.scatter(x, y, s=sizes, color=COLOURS[0], alpha=0.6)


def _curves(plot: Plot, report: Mapping[str, Any]) -> None:
    curve, threshold = report["curve"], report["threshold"]
    at = threshold["value"]
    title = f"Threshold {at:.4g} ({threshold['rule']})" if at is not None else "F1 by threshold"
    plot.label(1, title, "threshold", "F1", ylim=EDGES)
    x = [point["threshold"] for point in curve]
    series = [
        Series(name, x, [float("nan") if point[key] is None else point[key] for point in curve])
        for key, name in (("f1_right", "right steps"), ("f1_wrong", "wrong steps"), ("macro_f1", "macro-F1"))
    ]
    plot.panels[1].axvline(at, color=SOFT, linestyle=":")
    plot.lines(1, series, markers=False, steps=True)
