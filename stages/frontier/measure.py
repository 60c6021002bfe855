"""Replays strategies over recorded solutions and adds up what they cost and how their labels differ. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.config import RolloutConfig
from pipeline.records import Step
from stages import metrics
from stages.label import step_label
from stages.rollout.audit import PAPER, Audit, as_drawn, counted, ratio
from stages.rollout.bias import largest_bias
from stages.rollout.strategies import STRATEGIES, Progress

if TYPE_CHECKING:
    from stages.rollout.ledger import Recorded

Oracle = Callable[[str, Sequence[str]], Sequence[bool]]
"""`(problem_id, steps)` → for each step, whether everything up to it is right."""
Truths = Mapping[tuple[str, int], Sequence[tuple[int, int] | None]]
"""(solution id, seed) → for each step (k, n) of draws that no strategy here has seen."""


@dataclass
class Tally:
    """One strategy over all solutions, in steps, draws and generated tokens; squared errors of mc are sums."""

    config: RolloutConfig
    draws: int = 0
    tokens: int = 0
    steps: int = 0
    labelled: int = 0
    agreeing: int = 0
    scored: int = 0
    squared_error: float = 0.0
    held_out: int = 0
    true_squared_error: float = 0.0
    origins: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    """(the oracle's word, the label is `+`) → steps."""

    def figures(self, fixed: Tally) -> dict[str, Any]:
        """As JSON values; null where nothing was measured. RMSE against `truth` is without the truth's own noise."""
        true_error = self.true_squared_error / self.held_out if self.held_out else None
        return {
            "strategy": self.config.description,
            "draws": self.draws,
            "tokens": self.tokens,
            "draws_share": ratio(self.draws, fixed.draws),
            "tokens_share": ratio(self.tokens, fixed.tokens),
            "labelled_share": ratio(self.labelled, self.steps),
            "label_agreement": ratio(self.agreeing, self.labelled),
            "mc_rmse_to_fixed": _root(ratio(self.squared_error, self.scored)),
            "mc_rmse_to_truth": _root(true_error),
            "largest_bias": largest_bias(self.config),
            "oracle_macro_f1": macro_f1(self.verdicts),
            "origins": dict(sorted(self.origins.items())),
        }


def candidates(base: RolloutConfig) -> list[RolloutConfig]:
    """What is compared: every strategy with each of its trials; `fixed` first, those that stop at a success last."""
    order = sorted(STRATEGIES.items(), key=lambda item: item[1].stops_at_success)
    return [
        base.model_copy(update={"strategy": name, **trial}) for name, strategy in order for trial in strategy.trials
    ]


def compare(
    solutions: Iterable[Recorded], base: RolloutConfig, truths: Truths | None = None, oracle: Oracle | None = None
) -> dict[str, Any]:
    """The frontier as JSON values: the ledger in figures, a row for every strategy, the audit's finding.

    Args:
        solutions: each with all `num_draws` draws of every prefix that may be drawn from.
        base: the run's own settings; `num_draws`, `complete_prefix` and `audit_fraction` hold for all.
    """
    tallies = [Tally(config) for config in candidates(base)]
    found = Audit(base.model_copy(update={"strategy": "right_to_left", "rounds": (4, 4, 8)}))
    ledger: Counter[str] = Counter()
    for solution in solutions:
        ledger["solutions"] += 1
        ledger["right_solutions"] += solution.correct
        fixed: list[Step] = []
        truth = (truths or {}).get((solution.solution_id, solution.seed))
        ok = oracle(solution.problem_id, solution.steps) if oracle else None
        for tally in tallies:
            progress = as_drawn(solution, tally.config)
            steps = counted(solution, progress, tally.config)
            if not fixed:
                fixed = steps
                ledger["prefixes"] += len(progress)
                ledger["zero_prefixes"] += sum(not prefix.correct for prefix in progress)
            _add(tally, solution, progress, steps, fixed, truth, ok)
        found.add(solution)
    return {
        "ledger": {
            **ledger,
            "pass_at_1": ratio(ledger["right_solutions"], ledger["solutions"]),
            "zero_prefix_share": ratio(ledger["zero_prefixes"], ledger["prefixes"]),
        },
        "strategies": [tally.figures(tallies[0]) for tally in tallies],
        "audit": found.figures(),
    }


def macro_f1(verdicts: Mapping[tuple[bool, bool], int]) -> float | None:
    """The mean of the F1 of right and of wrong steps, from (truth, label) → count; null where one isn't defined."""
    cells = [verdicts.get((truth, label), 0) for truth in (True, False) for label in (True, False)]
    found = float(metrics.macro_f1(cells))
    return None if math.isnan(found) else found


def _add(
    tally: Tally,
    solution: Recorded,
    progress: Sequence[Progress],
    steps: Sequence[Step],
    fixed: Sequence[Step],
    truth: Sequence[tuple[int, int] | None] | None,
    ok: Sequence[bool] | None,
) -> None:
    tally.draws += sum(prefix.drawn for prefix in progress)
    tally.tokens += sum(sum(tokens[: prefix.drawn]) for tokens, prefix in zip(solution.tokens, progress, strict=False))
    tally.steps += len(steps)
    for index, (step, reference) in enumerate(zip(steps, fixed, strict=True)):
        label = step_label(step, PAPER)
        tally.origins[step.origin] += 1
        if label is not None:
            tally.labelled += 1
            tally.agreeing += label == step_label(reference, PAPER)
            if ok is not None:
                tally.verdicts[ok[index], label == "+"] += 1
        if step.origin != "measured" or step.score is None or reference.score is None:
            continue
        tally.scored += 1
        tally.squared_error += (step.score - reference.score) ** 2
        if truth and (held_out := truth[index]):
            k, n = held_out
            # The held-out mean errs by itself; its variance is estimated without bias by p(1 − p) / (n − 1).
            tally.held_out += 1
            tally.true_squared_error += (step.score - k / n) ** 2 - k / n * (1 - k / n) / (n - 1)


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(max(0.0, value))
