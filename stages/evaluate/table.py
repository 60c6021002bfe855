"""The report as Markdown: F1 in percent as the paper has it, intervals in brackets, a dash for what isn't defined."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.markdown import compact_table

Json = Mapping[str, Any]

DASH = "–"


def render(title: str, report: Json, published: Mapping[str, Mapping[str, float]]) -> str:
    """The whole document.

    Args:
        published: model → column → macro-F1 in percent; shown if the report has all of the columns' sources.
    """
    steps = report["steps"]
    parts = [
        f"# {title}",
        f"{steps['samples']:,} samples, {steps['all']:,} steps: {steps['right']:,} right, {steps['wrong']:,} wrong, "
        f"{steps['without_label']:,} without a label (shown to the critic, not counted). "
        f"{steps['not_measured']:,} labelled steps have no score"
        + (" and are in no number." if steps["not_measured"] else "."),
        f"Threshold: {report['threshold']['text']}.",
        *([_about(report)] if "labels_are_about" in report else []),
        "Brackets: 95 % percentile interval of {resamples:,} bootstrap resamples of the {problems:,} problems with all "
        "of their samples, seed {seed}; the threshold is held.".format(**report["bootstrap"]),
        "## Macro-F1 (%)",
        _main(report, published),
        "Overall: *pooled* is one macro-F1 over all steps, *step-weighted* and *plain mean* are means of the sources'. "
        'The paper says "micro average"; its rows fit *pooled* best.',
    ]
    if against := report.get("against"):
        parts.append(_against(against))
    if report["first_error_f1_mean"] is not None:
        parts.append(
            "Plain mean over sources of ProcessBench's F1 (harmonic mean of the first error found in solutions with "
            f"one and none found in those without): {_plain(report['first_error_f1_mean'])}."
        )
    if report["rejected"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["rejected"].items())
        parts.append(f"Rows left out of the bench: {reasons}.")
    if report["failures"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["failures"].items())
        parts.append(f"Steps without a score: {reasons}.")
    for name, groups in (("Source", "sources"), ("Policy", "policies"), ("Step", "positions")):
        parts += [f"## By {name.lower()}", _groups(name, {**report[groups], "all": report["pooled"]})]
    calibration = report["calibration"]
    if calibration["ece"] is not None:
        parts += ["## Calibration", f"Expected calibration error {calibration['ece']:.3f}.", _bins(calibration["bins"])]
    return "\n\n".join(parts) + "\n"


def _about(report: Json) -> str:
    """What the labels are about, and what the numbers would be if they were about prefixes."""
    about = report["labels_are_about"]
    if about is None:
        return (
            "The bench does not say whether its labels are about steps by themselves or about all up to them: "
            "`about=step` or `about=prefix` does."
        )
    if about == "prefix":
        return "Labels are about prefixes: a step is right if nothing is wrong so far that the answer depends on."
    found, steps = report["as_prefixes"]["pooled"], report["as_prefixes"]["steps"]
    return (
        "Labels are about steps by themselves. Where every step after a wrong one counts as wrong, as in labels of "
        f"prefixes ({steps['right']:,} right, {steps['wrong']:,} wrong), pooled macro-F1 is {_percent(found['macro_f1'])} and "
        f"AUC {_percent(found['auc'])}."
    )


def _main(report: Json, published: Mapping[str, Mapping[str, float]]) -> str:
    sources = list(report["sources"])
    columns = next(iter(published.values()), {})
    matched = {column: _match(column, sources) for column in columns if column != "overall"}
    comparable = bool(published) and all(matched.values()) and len(set(matched.values())) == len(sources)
    if comparable:
        sources = [str(name) for name in matched.values()]
    overall = report["overall"]
    rows = [
        [
            "**this critic**",
            *(_percent(report["sources"][source]["macro_f1"]) for source in sources),
            *(_percent(overall[way]) for way in ("pooled", "step_weighted", "plain_mean")),
        ]
    ]
    names = {"always_right": "every step right", "fair_coin": "fair coin"}
    for key, name in names.items():
        row = report["baselines"][key]
        rows.append([name, *(_plain(row["sources"][source]) for source in sources), _plain(row["pooled"]), "", ""])
    if comparable:
        for model, numbers in published.items():
            values = [f"{numbers[column]:.1f}" for column in matched]
            rows.append([f"{model} (paper)", *values, f"{numbers['overall']:.1f}", "", ""])
    return compact_table(["", *sources, "pooled", "step-weighted", "plain mean"], rows)


def _against(other: Json) -> str:
    differences = "; ".join(
        f"{name} {_percent(other[key])} points{_test(other[key])}"
        for key, name in (("macro_f1", "pooled macro-F1"), ("auc", "AUC"))
        if other[key]["value"] is not None
    )
    return (
        f"This critic minus {other['scores']}, paired by problem over the {other['steps']:,} steps that both scored: "
        f"{differences or 'not defined'}."
    )


def _test(difference: Json) -> str:
    if difference["p"] is None:
        return ""
    return f" (p = {difference['p']:.2g}; {_plain(difference['detectable'])} would be found with a power of 80 %)"


def _match(column: str, sources: Sequence[str]) -> str | None:
    """The source that a column of the paper means: released names may add to it (MathVerse, MathVerse_Vision_Only)."""

    def bare(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower())

    return next((source for source in sources if bare(source).startswith(bare(column))), None)


def _groups(name: str, groups: Mapping[str, Json]) -> str:
    heads = ["samples", "right", "wrong", "macro-F1", "F1 right", "F1 wrong", "AUC"]
    keys = ["macro_f1", "f1_right", "f1_wrong", "auc"]
    with_first = all("first_error_f1" in group for group in groups.values())
    if with_first:
        heads += ["first error found", "with error", "without", "harmonic F1"]
        keys += ["first_error_accuracy", "first_error_accuracy_erroneous", "first_error_accuracy_all_right"]
        keys += ["first_error_f1"]
    rows = [
        [label, *(f"{group[key]:,}" for key in ("samples", "right", "wrong")), *(_percent(group[key]) for key in keys)]
        for label, group in groups.items()
    ]
    return compact_table([name.lower(), *heads], rows)


def _bins(bins: Sequence[Json]) -> str:
    rows = [
        [
            f"{one['low']:.1f} to {one['high']:.1f}",
            f"{one['steps']:,}",
            *(f"{one[key]:.3f}" for key in ("mean_score", "share_right")),
        ]
        for one in bins
    ]
    return compact_table(["score", "steps", "mean score", "share right"], rows)


def _percent(measure: Json) -> str:
    if measure["value"] is None:
        return DASH
    ends = f" [{100 * measure['low']:.1f}, {100 * measure['high']:.1f}]" if measure["low"] is not None else ""
    return f"{100 * measure['value']:.1f}{ends}"


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
