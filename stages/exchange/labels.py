"""Which steps of a published row have a label that another format can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from stages.exchange.format import ExportOptions, Row
from stages.label import published_label


def labelled_turns(
    steps: Sequence[Mapping[str, Any]], threshold: float | None = None, cut: bool = False, kind: str = "mc"
) -> list[tuple[str, str]]:
    """The texts and labels of a solution's steps, up to the first step whose label isn't known.

    A step that was never sampled because one before it had failed is `-`, as the reference's rule makes it of labels of
    `mc`. Those of another `kind` don't say that draws failed, and what they leave open stays so. `threshold` replaces the
    published labels by `mc`; `cut` ends after the first `-`.

    Raises:
        RowError: `no_label`, if not even the first step has one.
    """
    turns: list[tuple[str, str]] = []
    failed, by_draws = False, kind == "mc" or threshold is not None
    for step in steps:
        label: str | None = published_label(step, threshold)
        if label is None and failed and by_draws and step["origin"] == "not_sampled":
            label = "-"
        if label is None:
            break
        turns.append((step["step"], label))
        failed = failed or label == "-"
        if failed and cut:
            break
    if not turns:
        raise RowError("no_label", "the first step has no label")
    return turns


def chosen_turns(row: Row, options: ExportOptions) -> list[tuple[str, str]]:
    """`labelled_turns` of a row, as the user of `visualprm export` chose.

    Raises:
        RowError: `no_label`.
    """
    return labelled_turns(row["steps_with_score"], options.threshold, options.cut, options.kind)
