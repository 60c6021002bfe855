"""What cheaper rollout strategies cost and lose, replayed over a `fixed` ledger (docs/strategies.md has the whole table).

    python -m benchmarks strategies run=runs/demo

No engine: draw j is the ledger's j-th. The same ledger always gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.shape import Benchmark, Figure
from pipeline.settings import Strict
from stages.frontier.run import replayed


class Settings(Strict):
    """What is measured."""

    run: str = "runs/demo"
    """A run directory with a `fixed` ledger."""
    truth: str | None = None
    """The same problems with more draws, as of `visualprm frontier --truth`; null for none."""


def measure(settings: Settings) -> dict[str, float]:
    result = replayed(settings.run, settings.truth)
    ledger, audit = result["ledger"], result["audit"]
    first, quick = _row(result, "first_success", "rounds=4,4,8"), _row(result, "first_success", "rounds=1,1,2,4,8")
    fixed, interval = _row(result, "fixed"), _row(result, "sequential_ci", "ci_half_width=0.15")
    found: dict[str, float | None] = {
        "solutions": ledger["solutions"],
        "agreement": first["label_agreement"],
        "first_draws": first["draws_share"],
        "first_bound": 0.26 + 0.80 * ledger["zero_prefix_share"],
        "quick_draws": quick["draws_share"],
        "wrong_only_draws": _row(result, "right_to_left")["draws_share"],
        "wrong_only_bound": 0.8 * (1 - ledger["pass_at_1"]) + audit["audit_fraction"],
        "audit_disagreement": audit["disagreement_in_audit"],
        "interval_draws": interval["draws_share"],
        "interval_error": interval["mc_rmse_to_truth"],
        "fixed_error": fixed["mc_rmse_to_truth"],
    }
    return {name: value for name, value in found.items() if value is not None}


def _row(result: Mapping[str, Any], *words: str) -> Mapping[str, Any]:
    """The strategy whose description has these words."""
    (row,) = (row for row in result["strategies"] if {*words} <= {*row["strategy"].split()})
    return dict(row)


BENCHMARK = Benchmark(
    on="{solutions:,.0f} solutions of {run}; the truth about mc from {truth}",
    figures=(
        Figure("labels of `first_success` that are `fixed`'s", "agreement", unit="%", at_least=1),
        Figure(
            "its draws, 4/4/8, against 26 % + 0.80 × the share of prefixes without a success",
            "first_draws", "first_bound", "of `fixed`'s", at_most=1,
        ),
        Figure("its draws, 1/1/2/4/8, of `fixed`'s", "quick_draws", unit="%", at_most=0.42),
        Figure(
            "draws of `right_to_left` against 0.8 × (1 − pass@1) + the audit's share",
            "wrong_only_draws", "wrong_only_bound", "of `fixed`'s", at_most=1,
        ),
        Figure("… labels that its audit finds to differ", "audit_disagreement", unit="%"),
        Figure("draws of `sequential_ci`, ± 0.15, of `fixed`'s", "interval_draws", unit="%"),
        Figure("RMSE of its mc to the truth against `fixed`'s own", "interval_error", "fixed_error"),
    ),
    settings=Settings,
    measure=measure,
)  # fmt: skip
