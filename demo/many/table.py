"""What is chosen on problems that no critic learnt from, and what it comes to on the test pools."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from demo.many.rules import Case, Rule, accuracy
from pipeline.markdown import compact_table
from stages.best_of_n.compare import Interval, bootstrap
from stages.best_of_n.expected import NO_ANSWER, Floats
from stages.best_of_n.pool import Pool
from stages.best_of_n.scores import read_scores

FEW, MANY = 8, 64
SIZES = (FEW, MANY)
RESAMPLES = 10_000


def cases_of(folder: str) -> list[Case]:
    """The problems of a pool with what all critics beside it say."""
    pool = Pool(folder)
    critics = [critic for critic in read_scores(pool) if critic.problems == pool.num_problems]
    return [
        Case(
            problem_id,
            pool.sources[problem_id],
            np.array([one.correct for one in candidates]),
            np.array([NO_ANSWER if one.answer_group is None else one.answer_group for one in candidates]),
            {critic.name: critic.of(candidates) for critic in critics},
            {critic.name: critic.of(candidates, "step_low") for critic in critics if critic.has_intervals},
        )
        for problem_id, candidates in pool.candidates()
    ]


def chosen(held_out: Sequence[Case], rules: Sequence[Rule], critics: Sequence[str]) -> list[Rule]:
    """Of each family the rule that is best at N = 64 on the held-out problems, over all critics that it fits."""
    families: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if any(rule.fits(held_out[0], critic) for critic in critics):
            families[rule.family].append(rule)

    def worth(rule: Rule) -> float:
        fitting = [critic for critic in critics if rule.fits(held_out[0], critic)]
        return float(np.mean([accuracy(held_out, rule, critic, (MANY,)) for critic in fitting]))

    return [own[0] if len(own) == 1 else max(own, key=worth) for own in families.values()]


def table(
    held_out: Sequence[Case], pools: Mapping[str, Sequence[Case]], rules: Sequence[Rule], critics: Sequence[str]
) -> str:
    """Markdown, a row a critic and rule: right answers in % at N = 8 and 64, and the difference with its 95 % interval."""
    rows = []
    for critic in critics:
        for rule in rules:
            if rule.fits(held_out[0], critic):
                cells = [_cells(accuracy(cases, rule, critic, SIZES)) for cases in (held_out, *pools.values())]
                rows.append([critic, rule.name, *(cell for own in cells for cell in own)])
    head = [f"{name}, {what}" for name in ("held out", *pools) for what in (f"N = {FEW}", f"{MANY}", "difference")]
    return compact_table(["critic", "rule", *head], rows)


def _cells(found: Floats) -> list[str]:
    both = np.column_stack([found, found[:, 1] - found[:, 0]])
    few, many, gain = bootstrap(both, RESAMPLES, 0)
    return [f"{100 * few.mean:.1f}", f"{100 * many.mean:.1f}", told(gain)]


def told(difference: Interval) -> str:
    """A difference of accuracies in points, with its interval."""
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
