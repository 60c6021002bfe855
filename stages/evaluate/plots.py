"""The report as a picture: calibration on the left, F1 against the threshold on the right."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

EDGES = (-0.03, 1.03)


def render(title: str, report: Mapping[str, Any]) -> bytes:
    """PNG. Without metadata, so that the same report gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    _calibration(left, report["calibration"])
    _curves(right, report)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _calibration(axes: Any, calibration: Mapping[str, Any]) -> None:
    bins = calibration["bins"]
    axes.set(xlabel="score", ylabel="share of steps that are right", xlim=EDGES, ylim=EDGES)
    if not bins:
        axes.text(0.5, 0.5, "scores are not probabilities", ha="center")
        return
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    most = max(one["steps"] for one in bins)
    sizes = [20 + 180 * one["steps"] / most for one in bins]
    x, y = [one["mean_score"] for one in bins], [one["share_right"] for one in bins]
    axes.plot(x, y, color="tab:blue", linewidth=1)
    axes.scatter(x, y, s=sizes, color="tab:blue", alpha=0.6)
    axes.set_title(f"calibration error {calibration['ece']:.3f} (area: steps)", fontsize=10)


def _curves(axes: Any, report: Mapping[str, Any]) -> None:
    curve, threshold = report["curve"], report["threshold"]
    x = [point["threshold"] for point in curve]
    for key, name, color in (
        ("f1_right", "F1 of right steps", "tab:green"),
        ("f1_wrong", "F1 of wrong steps", "tab:red"),
        ("macro_f1", "macro-F1", "black"),
    ):
        values = [float("nan") if point[key] is None else point[key] for point in curve]
        axes.plot(x, values, label=name, color=color, drawstyle="steps-post")
    axes.axvline(threshold["value"], color="0.5", linestyle=":", label=f"{threshold['rule']}: {threshold['value']:.4g}")
    axes.set(xlabel="threshold", ylabel="F1", ylim=EDGES)
    axes.legend(loc="lower left", fontsize=9)
