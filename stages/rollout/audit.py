"""What an audit says: how often the labels of a strategy that leaves steps out differ from those of all draws. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config import LabelConfig, RolloutConfig
from pipeline.records import Step
from stages.label import count_own, score, step_label
from stages.rollout.replay import replay
from stages.rollout.strategies import Progress, open_steps, origins
from stages.rollout.strategies.wrong_only import audited

if TYPE_CHECKING:
    from stages.rollout.ledger import Recorded

PAPER = LabelConfig()
"""Threshold 0, every draw counts: the labels that are compared."""


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
        labels, fixed = (_labels(counted(solution, as_drawn(solution, config), config)) for config in (plain, every))
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
            "disagreement_in_audit": ratio(self.differing, self.steps),
            "disagreement_in_all": ratio(self.all_differing, self.all_steps),
        }


def audit(solutions: Iterable[Recorded], config: RolloutConfig) -> dict[str, Any]:
    """What the audit of a run with `right_to_left` or `binary_search` finds."""
    found = Audit(config)
    for solution in solutions:
        if audited(solution.solution_id, config.audit_fraction):
            found.add(solution)
    return found.figures()


def audit_text(audit: Mapping[str, Any]) -> str:
    """A sentence or two on what an audit found."""
    return (
        f"`{audit['strategy']}` with an audit of {100 * audit['audit_fraction']:g} %: of the {audit['audited_steps']:,} "
        f"labels that it would have given the {audit['audited_solutions']:,} audited solutions, "
        f"{percent(audit['disagreement_in_audit'])} differ from those of all draws."
    )


def as_drawn(solution: Recorded, config: RolloutConfig) -> list[Progress]:
    hits = [solution.hits[step][: config.num_draws] for step in open_steps(solution.context, config)]
    return replay(solution.solution_id, solution.correct, hits, config)


def counted(solution: Recorded, progress: Sequence[Progress], config: RolloutConfig) -> list[Step]:
    """The solution's steps with their counts, as publishing would find them."""
    every = [Progress()] * len(solution.steps)
    for index, step in zip(open_steps(solution.context, config), progress, strict=True):
        every[index] = step
    found = []
    for step, origin in zip(every, origins(every, solution.correct, config, solution.context), strict=True):
        correct, total = count_own(solution.status) if origin == "own_answer" else (step.correct, step.drawn)
        found.append(Step("", 0, 0, True, (), correct, total, score(correct, total), origin))
    return found


def _labels(steps: Sequence[Step]) -> list[str | None]:
    return [step_label(step, PAPER) for step in steps]


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"
