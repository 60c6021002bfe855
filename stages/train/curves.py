"""What a training logged, as a picture beside the model card: loss on the left, held-out figures on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.plot_style import Plot, Series

TITLE = "Training: loss, and F1 and AUC on held-out problems"
_HELD_OUT = {"eval_macro_f1": "macro-F1", "eval_auc": "AUC"}


def render(history: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """`training.png` and `training.svg` from a trainer's `log_history`; nothing where it logged no loss."""
    loss = points(history, "loss")
    if not loss:
        return {}
    held_out = {name: found for key, name in _HELD_OUT.items() if (found := points(history, key))}
    plot = Plot(TITLE if held_out else "Training: loss", panels=2 if held_out else 1, width=5.2, height=3.6)
    plot.label(0, "Loss of training", "step", "")
    plot.lines(0, [_series("loss", loss)], markers=False)
    if held_out:
        plot.label(1, "Held-out problems", "step", "")
        plot.lines(1, [_series(name, found) for name, found in held_out.items()])
    return plot.files("training")


def _series(name: str, found: Sequence[tuple[float, float]]) -> Series:
    return Series(name, [step for step, _ in found], [value for _, value in found])


def points(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) wherever the value was logged."""
    return [
        (float(entry["step"]), float(entry[key])) for entry in history if entry.get(key) is not None and "step" in entry
    ]
