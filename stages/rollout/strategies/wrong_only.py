"""Strategies that look for the first error of a wrong solution and draw nothing for a right one.

A success after step i is a success after every step before it. So a solution that is right implies all of its
steps, and in a wrong one a step with a success implies those before it; implied steps are never drawn from.
What this gives away is the flawed step in a solution that still ends right. A share of all solutions, chosen by
a hash of their ids, gets every draw (`audit_fraction`): there the disagreement with `fixed` can be measured.
"""

from __future__ import annotations

import hashlib

from pipeline.config import RolloutConfig
from stages.rollout.strategies.first_success import until_success
from stages.rollout.strategies.fixed import fixed
from stages.rollout.strategies.view import Ask, View


def right_to_left(view: View, config: RolloutConfig) -> list[Ask]:
    """From the last step to the first, until a step has a success; each by the rounds of `first_success`."""
    if audited(view.solution_id, config.audit_fraction):
        return fixed(view, config)
    if view.correct:
        return []
    for step in reversed(range(len(view.prefixes))):
        prefix = view.prefixes[step]
        if n := until_success(prefix, config):
            return [Ask(step, n)]
        if prefix.pending or prefix.correct:
            return []
    return []


def binary_search(view: View, config: RolloutConfig) -> list[Ask]:
    """Halves the range that holds the first error (OmegaPRM, arXiv 2406.06592); for long chains.

    Steps after the first error stay without a label, unless the search came by.
    """
    if audited(view.solution_id, config.audit_fraction):
        return fixed(view, config)
    if view.correct:
        return []
    good, bad = 0, len(view.prefixes) + 1  # lengths of prefixes: the empty one is right, the whole solution wrong
    while bad - good > 1:
        middle = (good + bad) // 2
        prefix = view.prefixes[middle - 1]
        if n := until_success(prefix, config):
            return [Ask(middle - 1, n)]
        if prefix.pending:
            return []
        good, bad = (middle, bad) if prefix.correct else (good, middle)
    return []


def audited(solution_id: str, fraction: float) -> bool:
    """Whether a solution is among the `fraction` that gets every draw; the same in every run."""
    digest = hashlib.sha256(f"audit {solution_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
