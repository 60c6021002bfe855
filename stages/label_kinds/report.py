"""The comparison of label kinds as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.markdown import Row, markdown_table, visible


def text(result: Mapping[str, Any]) -> str:
    """Tables: all steps, then by source, by position, by the judge's category."""
    kinds = result["kinds"]
    parts = [f"{result['solutions']:,} solutions, {result['steps']:,} steps", _main(kinds)]
    for key, head in (("by_source", "source"), ("by_position", "position")):
        parts.append(_grouped(kinds, key, head))
    if result["categories"]:
        rows = [
            (name, f"{each['steps']:,}", percent(each["wrong_by_mc"] / each["steps"]))
            for name, each in result["categories"].items()
        ]
        parts.append(markdown_table(("called wrong by the judge for", "steps", "`-` by mc"), rows))
    return "\n\n".join(parts)


def _main(kinds: list[Mapping[str, Any]]) -> str:
    oracles = list(kinds[0]["oracles"])
    people = any(kind["with_people"] for kind in kinds)
    heads = ["kind", "labelled", "kept of mc", "`+`", "α with mc"]
    heads += ["α with people", "steps of people"] if people else []
    for name in oracles:
        heads += [f"F1 against {name}", "95 %", "true"]
    rows: list[Row] = []
    for kind in kinds:
        row = [
            kind["name"],
            f"{kind['labelled']:,}",
            percent(kind["kept_share"]),
            percent(kind["right_share"]),
            decimal(kind["with_mc"]["alpha"]),
        ]
        if people:
            found = kind["with_people"] or {"alpha": None, "steps": 0}
            row += [decimal(found["alpha"]), f"{found['steps']:,}"]
        for name in oracles:
            found = kind["oracles"][name]
            row += [decimal(found["macro_f1"]), brackets(found["interval"]), percent(found["accuracy"])]
        rows.append(tuple(row))
    return markdown_table(tuple(heads), rows)


def _grouped(kinds: list[Mapping[str, Any]], key: str, head: str) -> str:
    """Of each part and kind: the share kept, and the first oracle's F1 if there is one."""
    oracle = next(iter(kinds[0]["oracles"]), None)
    heads = [head]
    for kind in kinds:
        heads += [f"{kind['name']}: kept", "`+`", *(["F1"] if oracle else [])]
    rows = []
    for part in kinds[0][key]:
        row = [visible(part)]
        for kind in kinds:
            found = kind[key][part]
            row += [percent(found["kept_share"]), percent(found["right_share"])]
            row += [decimal(found["oracles"][oracle]["macro_f1"])] if oracle else []
        rows.append(tuple(row))
    return markdown_table(tuple(heads), rows)


def percent(share: float | None) -> str:
    """A share of 1 in percent, or a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"


def decimal(value: float | None) -> str:
    """With three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def brackets(interval: tuple[float, float] | None) -> str:
    """Both ends with three digits, or a dash."""
    return "–" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
