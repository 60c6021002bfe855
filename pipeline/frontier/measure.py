"""Replays strategies over recorded solutions and adds up what they cost and how their labels differ. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import LabelConfig, RolloutConfig
from pipeline.frontier.ledger import Recorded
from pipeline.records import Step
from stages.evaluate import metrics
from stages.label import count_own, score, step_label
from stages.rollout import Progress, largest_bias, origins, replay
from stages.rollout.strategies.wrong_only import audited

PAPER = LabelConfig()
"""Threshold 0, every draw counts: the labels that are compared."""

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
            "draws_share": _ratio(self.draws, fixed.draws),
            "tokens_share": _ratio(self.tokens, fixed.tokens),
            "labelled_share": _ratio(self.labelled, self.steps),
            "label_agreement": _ratio(self.agreeing, self.labelled),
            "mc_rmse_to_fixed": _root(_ratio(self.squared_error, self.scored)),
            "mc_rmse_to_truth": _root(true_error),
            "largest_bias": largest_bias(self.config),
            "oracle_macro_f1": macro_f1(self.verdicts),
            "origins": dict(sorted(self.origins.items())),
        }


@dataclass
class Audit:
    """How often the labels of a strategy that leaves right solutions alone differ from `fixed`'s.

    Counted in the solutions that an audit takes, and in all that were added.
    """

    config: RolloutConfig
    solutions: int = 0
    steps: int = 0
    differing: int = 0
    all_steps: int = 0
    all_differing: int = 0

    def add(self, solution: Recorded) -> None:
        """Takes a solution with all its draws."""
        plain = self.config.model_copy(update={"audit_fraction": 0.0})
        every = self.config.model_copy(update={"strategy": "fixed"})
        labels, fixed = (_labels(_steps(solution, _replay(solution, config), config)) for config in (plain, every))
        pairs = [(label, other) for label, other in zip(labels, fixed, strict=True) if label is not None]
        differing = sum(label != other for label, other in pairs)
        self.all_steps += len(pairs)
        self.all_differing += differing
        if audited(solution.solution_id, self.config.audit_fraction):
            self.solutions += 1
            self.steps += len(pairs)
            self.differing += differing

    def figures(self) -> dict[str, Any]:
        return {
            "strategy": self.config.strategy,
            "audit_fraction": self.config.audit_fraction,
            "audited_solutions": self.solutions,
            "audited_steps": self.steps,
            "disagreement_in_audit": _ratio(self.differing, self.steps),
            "disagreement_in_all": _ratio(self.all_differing, self.all_steps),
        }


def audit(solutions: Iterable[Recorded], config: RolloutConfig) -> dict[str, Any]:
    """What the audit of a run with `right_to_left` or `binary_search` finds."""
    found = Audit(config)
    for solution in solutions:
        if audited(solution.solution_id, config.audit_fraction):
            found.add(solution)
    return found.figures()


def candidates(base: RolloutConfig) -> list[RolloutConfig]:
    """What is compared: every strategy, with the parameters that the literature or this project uses; `fixed` first."""
    kinds: list[dict[str, Any]] = [
        {"strategy": "fixed"},
        {"strategy": "stop_after_zero"},
        {"strategy": "sequential_ci", "ci_half_width": 0.15},
        {"strategy": "sequential_ci", "ci_half_width": 0.2},
        {"strategy": "first_success", "rounds": (4, 4, 8)},
        {"strategy": "first_success", "rounds": (1, 1, 2, 4, 8)},
        {"strategy": "right_to_left", "rounds": (4, 4, 8)},
        {"strategy": "binary_search", "rounds": (4, 4, 8)},
    ]
    return [base.model_copy(update=kind) for kind in kinds]


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
            progress = _replay(solution, tally.config)
            steps = _steps(solution, progress, tally.config)
            if not fixed:
                fixed = steps
                ledger["prefixes"] += len(progress)
                ledger["zero_prefixes"] += sum(not prefix.correct for prefix in progress)
            _add(tally, solution, progress, steps, fixed, truth, ok)
        found.add(solution)
    return {
        "ledger": {
            **ledger,
            "pass_at_1": _ratio(ledger["right_solutions"], ledger["solutions"]),
            "zero_prefix_share": _ratio(ledger["zero_prefixes"], ledger["prefixes"]),
        },
        "strategies": [tally.figures(tallies[0]) for tally in tallies],
        "audit": found.figures(),
    }


def macro_f1(verdicts: Mapping[tuple[bool, bool], int]) -> float | None:
    """The mean of the F1 of right and of wrong steps, from (truth, label) → count; null where one isn't defined."""
    cells = [verdicts.get((truth, label), 0) for truth in (True, False) for label in (True, False)]
    found = float(metrics.macro_f1(cells))
    return None if math.isnan(found) else found


def _replay(solution: Recorded, config: RolloutConfig) -> list[Progress]:
    prefixes = len(solution.steps) - (config.complete_prefix == "own_answer")
    hits = [step[: config.num_draws] for step in solution.hits[:prefixes]]
    return replay(solution.solution_id, solution.correct, hits, config)


def _steps(solution: Recorded, progress: Sequence[Progress], config: RolloutConfig) -> list[Step]:
    """The solution's steps with their counts, as publishing would find them."""
    every = [*progress, *[Progress()] * (len(solution.steps) - len(progress))]
    found = []
    for step, origin in zip(every, origins(every, solution.correct, config), strict=True):
        correct, total = count_own(solution.status) if origin == "own_answer" else (step.correct, step.drawn)
        found.append(Step("", 0, 0, True, (), correct, total, score(correct, total), origin))
    return found


def _labels(steps: Sequence[Step]) -> list[str | None]:
    return [step_label(step, PAPER) for step in steps]


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


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(max(0.0, value))
