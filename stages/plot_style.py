"""How all plots look: few series, named at their ends, in colours that the colour-blind tell apart, as PNG and SVG.

Drawn without pyplot and without metadata, so that the same numbers give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, without those too pale for a line."""
INK, SOFT, LINE = "#23211d", "#8a867b", "#dfdbd0"
MOST = len(COLOURS)
"""Series of a plot beside those in grey."""
_RC: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "visualprm",
    "svg.fonttype": "none",
    "savefig.facecolor": "white",
}
_LINE_POINTS = 11.5
"""The least distance of two names at the right edge."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line with its name; `low` and `high` bound a band. `quiet` is a baseline, in grey and dashed."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    quiet: bool = False


class Plot:
    """A figure of panels side by side, of `width` inches each, with a title that says what is seen."""

    def __init__(self, title: str, panels: int = 1, width: float = 6.4, height: float = 4.2) -> None:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style = matplotlib.rc_context
        with self._style(dict(_RC)):
            self.figure = Figure(figsize=(width * panels, height), layout="constrained")
            FigureCanvasAgg(self.figure)
            self.panels: list[Any] = list(self.figure.subplots(1, panels, squeeze=False)[0])
            self.figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")

    def lines(self, panel: int, series: Sequence[Series], markers: bool = True, steps: bool = False) -> None:
        """Draws lines, bands with thin edges that show where they overlap, and each name at its line's end."""
        axes, number = self.panels[panel], 0
        ends: list[tuple[float, float, str, str]] = []
        with self._style(dict(_RC)):
            for one in series:
                colour = SOFT if one.quiet else COLOURS[number % MOST]
                number += not one.quiet
                axes.plot(
                    one.x,
                    one.y,
                    color=colour,
                    linestyle="--" if one.quiet else "-",
                    linewidth=1.2 if one.quiet else None,
                    marker="o" if markers and not one.quiet else None,
                    markersize=3.5,
                    drawstyle="steps-post" if steps else "default",
                    zorder=2 if one.quiet else 3,
                )
                if one.low is not None and one.high is not None:
                    axes.fill_between(one.x, one.low, one.high, color=colour, alpha=0.09, linewidth=0)
                    for edge in (one.low, one.high):
                        axes.plot(one.x, edge, color=colour, linewidth=0.5, alpha=0.55)
                known = [at for at in zip(one.x, one.y, strict=True) if at[1] == at[1]]
                if known:
                    ends.append((*known[-1], one.name, colour))
        self._name(axes, ends)

    def points(self, panel: int, points: Sequence[tuple[float, float, str]]) -> None:
        """Points, each with its name beside it."""
        axes = self.panels[panel]
        with self._style(dict(_RC)):
            for number, (x, y, _) in enumerate(points):
                axes.scatter(x, y, color=COLOURS[number % MOST], s=34, zorder=3)
        self._name(
            axes, [(x, y, name, COLOURS[number % MOST]) for number, (x, y, name) in enumerate(points)], beside=True
        )

    def label(self, panel: int, title: str, x: str, y: str, **limits: Any) -> None:
        """What a panel shows; `limits` are `xlim`, `ylim` and the like."""
        self.panels[panel].set(xlabel=x, ylabel=y, **limits)
        self.panels[panel].set_title(title, fontweight="normal", fontsize=10)

    def files(self, stem: str) -> dict[str, bytes]:
        """The figure as `stem.png` and `stem.svg`."""
        found = {}
        with self._style(dict(_RC)):
            for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
                buffer = io.BytesIO()
                self.figure.savefig(buffer, format=kind, dpi=130, metadata=metadata)
                found[f"{stem}.{kind}"] = buffer.getvalue()
        return found

    def _name(self, axes: Any, ends: Sequence[tuple[float, float, str, str]], beside: bool = False) -> None:
        """Names right of the panel, at the height of their lines and apart from each other; with points, beside them."""
        if not ends:
            return
        self.figure.canvas.draw()
        scale = 72 / self.figure.dpi
        to_points = axes.transData.transform
        wanted = [to_points((x, y))[1] * scale for x, y, _, _ in ends]
        heights = spread(wanted, _LINE_POINTS)
        right = axes.get_window_extent().x1
        for (x, y, name, colour), at, height in zip(ends, wanted, heights, strict=True):
            offset = 7 if beside else (right - to_points((x, y))[0]) * scale + 5
            axes.annotate(
                name,
                (x, y),
                (offset, height - at),
                textcoords="offset points",
                color=INK if colour == SOFT else colour,
                fontsize=9,
                va="center",
                annotation_clip=False,
            )


def spread(wanted: Sequence[float], apart: float) -> list[float]:
    """Places as near as can be to those wanted, in their order, and at least so far apart."""
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    groups: list[list[int]] = []
    for number in order:
        groups.append([number])
        while (
            len(groups) > 1
            and _low(groups[-1], wanted, apart) < _low(groups[-2], wanted, apart) + len(groups[-2]) * apart
        ):
            groups[-2:] = [groups[-2] + groups[-1]]
    found = [0.0] * len(wanted)
    for group in groups:
        low = _low(group, wanted, apart)
        for place, number in enumerate(group):
            found[number] = low + place * apart
    return found


def _low(group: Sequence[int], wanted: Sequence[float], apart: float) -> float:
    """Where a group of names that touch begins, to lie as near as can be to where they are wanted."""
    return sum(wanted[number] - place * apart for place, number in enumerate(group)) / len(group)
