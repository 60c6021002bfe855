"""What a dataset's card says of how its labels were made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config import LabelConfig
from pipeline.markdown import markdown_table, quoted
from stages.label import compared_with


def rule(config: LabelConfig) -> str:
    """When a step is `+`, when `-`, and when it has no label, in one line."""
    if config.kind == "band":
        return (
            f"`+` if the score is at least {config.high:g}, `-` if it is at most {config.low:g}, none between; the "
            "solution's own answer decides for the last step"
        )
    if config.kind == "interval":
        return (
            f"`+` or `-` if the {100 * config.confidence:g} % interval of the score (Jeffreys) lies above or below "
            f"{config.threshold:g}, none if it spans that; the solution's own answer decides for the last step"
        )
    if config.kind == "judge":
        return "`+` if the judge calls the step correct, `-` if incorrect, none if it has no verdict or a neutral one"
    if config.kind == "consensus" and config.agreement == "step":
        return f"`+` or `-` where `mc` (`+` if the score is above {config.threshold:g}) and the judge agree, none elsewhere"
    if config.kind == "consensus":
        return (
            f"that of `mc` (`+` if the score is above {config.threshold:g}) up to the first `-`, in solutions of which the "
            "judge names the same first wrong step, or none; none elsewhere"
        )
    return f"`+` if the score is above {config.threshold:g}"


def column(config: LabelConfig) -> str:
    """What the field `label` of a step holds."""
    if config.kind == "mc":
        return "`+` if the score is above the threshold, else `-`; null if not measured"
    return f"{rule(config)}; null if not measured, or not sure enough (`label.kind: {config.kind}`)"


def section(figures: Mapping[str, Any], config: LabelConfig) -> list[str]:
    """The section on what the kind keeps of the labels of `mc`, by source; none where it is `mc`."""
    if config.kind == "mc":
        return []
    rows = []
    for source, each in [*figures["sources"].items(), ("all", figures["total"])]:
        counts = each["label_kind"]
        shown = [f"{counts[name]:,}" for name in ("labelled_by_mc", "kept")]
        share = "–" if counts["kept_share"] is None else f"{100 * counts['kept_share']:.1f} %"
        rows.append((quoted(source), *shown, share, f"{counts['differing']:,}"))
    mc = compared_with(config)
    text = (
        f"`{config.kind}`: {rule(config)}. A step without a label teaches nothing, and no metric counts it. Of the labels "
        f"that `mc` would give (`+` above {mc.threshold:g}), these are kept, and so many of them are another label:"
    )
    table = markdown_table(("source", "labels by `mc`", "kept", "share", "differ from `mc`"), rows)
    return [f"## Labels\n\n{text}\n\n{table}"]
