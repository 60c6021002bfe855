"""Both tables of a demo's evaluation: wrong steps found, and Best-of-N. `make evaluate` ends with them.

    python -m demo.checks.tables outputs/evaluate/prm-96 outputs/evaluate/base --pool data/demo-pool --best prm-1000

Reads what `visualprm evaluate` and `visualprm bon report` wrote; computes nothing. The best comes first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.command_line.ending import one_line_errors
from pipeline.markdown import markdown_table

Json = Mapping[str, Any]
DASH = "–"
SHOWN = 8
"""The N that ways to choose are compared at, which is the paper's."""


def steps_table(reports: Mapping[str, Json]) -> str:
    """Markdown: critic → its report on the bench; last what needs no model. Differences are to the first one."""
    rows = []
    for name, report in reports.items():
        pooled, against = report["pooled"], report.get("against")
        difference = signed(against["macro_f1"]) if against else ""
        measures = (pooled["macro_f1"], pooled["auc"], pooled["first_error_accuracy"])
        rows.append((name, *map(percent, measures), difference))
    baselines = next(iter(reports.values()))["baselines"]
    for key, name in (("always_right", "every step right"), ("fair_coin", "fair coin")):
        value = baselines[key]["pooled"]
        rows.append((name, DASH if value is None else f"{100 * value:.1f}", "", "", ""))
    return markdown_table(("critic", "macro-F1", "AUC", "first error found", "difference"), rows)


def both_truths_table(prefix: Mapping[str, Json], step: Mapping[str, Json]) -> str:
    """Markdown: critic → its reports on a bench of prefixes and on the same solutions with labels of steps."""
    rows = [
        (name, *(percent(report["pooled"][key]) for key in ("macro_f1", "auc") for report in (prefix[name], own)))
        for name, own in step.items()
    ]
    return markdown_table(("critic", "macro-F1, prefix", "macro-F1, step", "AUC, prefix", "AUC, step"), rows)


def best_of_n_table(report: Json, aggregates: Sequence[str] = ("mean",), sizes: Sequence[int] = ()) -> str:
    """Markdown: accuracy at every size (or at these) of all ways to choose; critics of steps with these aggregates."""
    shown = [method for method in report["methods"] if method["aggregate"] in (None, *aggregates)]
    kept = sizes or report["sizes"]
    rows = [
        (method["label"], *(percent(point) for point in method["accuracy"] if point["n"] in kept)) for method in shown
    ]
    return markdown_table(("chosen by", *(f"N = {size}" for size in kept)), rows)


def best_first(report: Json, n: int) -> Json:
    """The same report, its ways to choose in the order of their accuracy among `n` candidates."""
    column = report["sizes"].index(n)
    return {**report, "methods": sorted(report["methods"], key=lambda way: -way["accuracy"][column]["mean"])}


def gains(report: Json, critic: str, n: int, aggregate: str = "mean") -> str:
    """One sentence: by how much the best of n by a critic of steps is right more often than other ways to choose."""
    chosen = f"{critic} ({aggregate})"
    found = []
    for row in report["comparisons"]:
        if row["n"] == n and chosen in (row["first"], row["second"]):
            first = row["first"] == chosen
            points = [100 * row[key] * (1 if first else -1) for key in ("mean", "low", "high")]
            mean, *bounds = f"{points[0]:+.1f}", *sorted(points[1:])
            other = row["second"] if first else row["first"]
            found.append(f"{other} {mean} [{bounds[0]:+.1f}, {bounds[1]:+.1f}]")
    return f"{chosen}, best of {n}, in points of accuracy against each other way: {', '.join(found)}."


def percent(measure: Json, sign: str = "") -> str:
    """`61.2 [59.0, 63.4]`; a dash for what isn't defined."""
    # Steps have a "value", Best-of-N a "mean".
    value = measure.get("value", measure.get("mean"))
    if value is None:
        return DASH
    ends = (measure["low"], measure["high"]) if measure["low"] is not None else ()
    first, *bounds = (f"{100 * number:{sign}.1f}" for number in (value, *ends))
    return f"{first} [{', '.join(bounds)}]" if bounds else first


def signed(measure: Json) -> str:
    """`+1.2 [-0.4, +2.8]`; a dash for what isn't defined."""
    return percent(measure, "+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, help="folders of `visualprm evaluate`")
    parser.add_argument("--pool", type=Path, required=True, help="a pool with its report")
    parser.add_argument("--best", metavar="CRITIC", help="a critic of steps, to compare with all other ways")
    parser.add_argument("--note", default="", help="a line on the critics, printed first")
    options = parser.parse_args()
    reports = {folder.name: json.loads((folder / "report.json").read_text()) for folder in options.reports}
    pool = json.loads((options.pool / "report" / "report.json").read_text())
    first = next(iter(reports.values()))
    steps = first["steps"]
    print(
        "\nMeasured on problems of the test split, of which the training saw none; the policy drew new solutions for them. "
        "`make train` measures on problems of its own dataset that it held out: its figures differ."
    )
    if options.note:
        print(f"\n{options.note}")
    print(f"\nWrong steps found: {first['bench']}, {steps['samples']} solutions, {steps['right']} right and "
          f"{steps['wrong']} wrong steps; threshold {first['threshold']['rule']}; in %, 95 % intervals\n")  # fmt: skip
    print(steps_table(reports))
    print(
        f"\nBest of N, on the same problems: {pool['pool']['problems']} problems × {pool['pool']['num_candidates']} "
        "candidates; accuracy in %\n"
    )
    print(best_of_n_table(best_first(pool, SHOWN)))
    if options.best:
        print(f"\n{gains(pool, options.best, SHOWN)}")
    print(
        f"\nMore in {', '.join(f'{folder}/report.md' for folder in options.reports)} and {options.pool}/report/report.md"
    )


if __name__ == "__main__":
    with one_line_errors("tables"):
        main()
