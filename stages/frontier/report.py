"""The frontier for people: a table, and a plot of quality against tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.markdown import compact_table
from stages.plot_style import Plot
from stages.rollout.audit import audit_text, percent

COLUMNS = (
    *("strategy", "draws", "draws / fixed", "tokens / fixed", "steps with a label"),
    *("label = fixed", "RMSE of mc to fixed"),
)
MORE = {
    "mc_rmse_to_truth": "RMSE of mc to the truth",
    "oracle_macro_f1": "macro-F1 against the oracle",
    "prm": "macro-F1 of its PRM",
}
"""Columns that are shown where something was measured. `prm`: a reward model trained on the labels, judged by others."""


def markdown(result: Mapping[str, Any]) -> str:
    """The whole report as Markdown."""
    ledger, audit = result["ledger"], result["audit"]
    shown = [key for key in MORE if any(row.get(key) is not None for row in result["strategies"])]
    header = [*COLUMNS, *(MORE[key] for key in shown), "largest bias of k / n"]
    return (
        f"{ledger['solutions']:,} solutions, {percent(ledger['pass_at_1'])} of them right; {ledger['prefixes']:,} "
        f"prefixes, {percent(ledger['zero_prefix_share'])} without a success in all draws.\n\n"
        + compact_table(header, [_row(row, shown) for row in result["strategies"]])
        + "\n\nLabels at threshold 0, draw j as the ledger has it; RMSE over measured steps, "
        "F1 over labelled ones; the bias is the largest of "
        "|E[k / n] − mc| over all mc, with its sign, exact.\n\n"
        + audit_text(audit)
        + f" Over the whole ledger {percent(audit['disagreement_in_all'])} differ.\n"
        + _prm_text(result["strategies"])
    )


def _prm_text(rows: Sequence[Mapping[str, Any]]) -> str:
    judged = [row["prm"] for row in rows if row.get("prm")]
    if not judged:
        return ""
    held_out = judged[0]
    return (
        f"\nThe PRMs were judged on {held_out['steps']:,} steps of {held_out['solutions']:,} solutions to "
        f"{held_out['problems']:,} held-out problems, with 95 % intervals over problems. Strategies whose labels are the "
        "same have the same model.\n"
    )


def plot(result: Mapping[str, Any]) -> dict[str, bytes]:
    """`frontier.png` and `frontier.svg`: labels, scores and, where there are some, reward models, against `fixed`'s tokens.

    Strategies that score only some steps are left out of the scores, where they would look better than they are.
    """
    rows = result["strategies"]
    against_oracle = any(row["oracle_macro_f1"] is not None for row in rows)
    against_truth = any(row["mc_rmse_to_truth"] is not None for row in rows)
    quality = ("oracle_macro_f1", "macro-F1 against the oracle") if against_oracle else (
        "label_agreement", "labels equal to fixed")  # fmt: skip
    error = ("mc_rmse_to_truth", "RMSE of mc to the truth") if against_truth else (
        "mc_rmse_to_fixed", "RMSE of mc to fixed")  # fmt: skip
    panels = [quality, error]
    if any(row.get("prm") for row in rows):
        panels.append(("prm", "macro-F1 of its PRM against the oracle"))
    drawn = Plot(
        "What cheaper strategies cost, and what their labels are worth", panels=len(panels), width=5.6, height=4.6
    )
    for panel, (key, title) in enumerate(panels):
        drawn.label(panel, title, "generated tokens, as a share of fixed", "", xlim=(0, 1.05))
        points = []
        for row in rows:
            partial = key == error[0] and {"implied", "not_sampled"} & row["origins"].keys()
            if row.get(key) is None or row["tokens_share"] is None or partial:
                continue
            value = row["prm"]["macro_f1"] if key == "prm" else row[key]
            points.append((row["tokens_share"], value, _short(row["strategy"])))
        drawn.points(panel, points)
    return drawn.files("frontier")


def _row(row: Mapping[str, Any], shown: list[str]) -> list[str]:
    return [
        f"`{_short(row['strategy'])}`",
        f"{row['draws']:,}",
        *(percent(row[key]) for key in ("draws_share", "tokens_share", "labelled_share", "label_agreement")),
        *(_prm(row.get(key)) if key == "prm" else _decimal(row[key]) for key in ("mc_rmse_to_fixed", *shown)),
        f"{row['largest_bias'] + 0.0:+.3f}" if abs(row["largest_bias"]) > 1e-9 else "0",
    ]


def _short(description: str) -> str:
    """The strategy without what all of them share."""
    return " ".join(word for word in description.split() if not word.startswith("num_draws="))


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _prm(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "–"
    low, high = figures["macro_f1_interval"]
    return f"{figures['macro_f1']:.3f} [{low:.3f}, {high:.3f}]"
