"""The pictures of docs/reinforcement.md: rewards over time beside the truth, and what the reward model believes beside it."""

from __future__ import annotations

from pathlib import Path

from demo.rl.numbers import smoothed
from demo.rl.plan import START
from demo.rl.results import Results
from pipeline import atomic
from stages.plot_style import Plot, Series

WIDTH = 10
"""Steps that a point of a curve is the mean of."""
OVER_TIME = (
    ("reward", "the reward itself", "mean reward"),
    ("answers", "right answers", "share of responses"),
    ("steps", "right steps, by the oracle", "share of a response's steps"),
    ("tokens", "length", "tokens"),
)


def write(results: Results, document: Path) -> dict[str, str]:
    """Draws both beside the document, as PNG and SVG; the names of the PNG files and what each shows."""
    found = {}
    for suffix, plot, shown in (
        ("-over-time", over_time(results), "The reward, right answers, right steps and length over time"),
        ("-belief", belief(results), "The reward model's mean score of a step against the share of steps up to which all is right"),
    ):  # fmt: skip
        for name, data in plot.files(f"{document.stem}{suffix}").items():
            atomic.write(document.with_name(name), data)
        found[f"{document.stem}{suffix}.png"] = shown
    return found


def over_time(results: Results) -> Plot:
    """A panel for each of `OVER_TIME`, a line for each reward: the mean over seeds of the last `WIDTH` steps."""
    plot = Plot("What each reward does to the policy, over steps of training", panels=len(OVER_TIME), width=4.2)
    for panel, (name, title, unit) in enumerate(OVER_TIME):
        series = []
        for reward in results.trained:
            line = smoothed(results.over_time(reward, name), WIDTH).mean(axis=0)
            series.append(Series(reward, list(range(1, len(line) + 1)), line.tolist()))
        plot.lines(panel, series, markers=False)
        plot.label(panel, title, "step", unit)
    return plot


def belief(results: Results) -> Plot:
    """A point for each reward: to the right of the dashed line the reward model believes too much."""
    plot = Plot("Where the reward model believes too much", width=6.8)
    points = [
        (results.mean(name, "score").value, results.mean(name, "prefixes").value, name) for name in results.evaluated
    ]
    ends = [f(f(point[:2]) for point in points) for f in (min, max)]
    plot.lines(0, [Series("", ends, ends, quiet=True)])
    plot.points(0, points)
    plot.label(0, f"on the test split, before ({START}) and after", "mean score of a step", "share of right prefixes")
    return plot
