"""What a response is worth: the verifier, the oracle and the reward model side by side. Numbers of a policy from those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.benchmark import problem
from demo.evaluate_policy import is_right
from demo.oracle import judge_steps
from demo.reasoning import STEP_SEPARATOR
from stages import metrics

LIKED = 0.5
"""The reward model likes a response whose every step it scores above this."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """A response to the problem `name`. The oracle judges the steps as written, and `scored_prefixes_ok` as they were scored."""

    name: str
    text: str
    tokens: int
    ended: bool
    log_ratio: float
    right: bool | None
    """By the verifier; null where it could not say."""
    answer_ok: bool
    """Whether the answer is, character by character, the right one."""
    steps_ok: tuple[bool, ...]
    """Of every step: whether it follows from what stands before it."""
    prefixes_ok: tuple[bool, ...]
    """Whether nothing is wrong so far that the answer depends on."""
    scored_steps: tuple[str, ...] | None
    """Those that the reward model scored, as it cut them; null where it could not score."""
    scores: tuple[float, ...] | None
    scored_prefixes_ok: tuple[bool, ...] | None

    @classmethod
    def of(cls, name: str, text: str, tokens: int, ended: bool, log_ratio: float, right: bool | None,
           scored: tuple[Sequence[str], Sequence[float | None]] | None) -> Judged:  # fmt: skip
        """`scored` has the steps as the reward model cut them, and their scores: null for a step that it does not judge."""
        truths = judge_steps(name, text.split(STEP_SEPARATOR))
        steps, scores = scored or ((), ())
        found = [
            (step, score, truth.prefix_ok)
            for step, score, truth in zip(steps, scores, judge_steps(name, steps), strict=True)
            if score is not None
        ]
        kept = tuple(zip(*found, strict=True)) if found else (None, None, None)
        return cls(
            name, text, tokens, ended, log_ratio, right, is_right(problem(name), text),
            tuple(one.step_ok for one in truths), tuple(one.prefix_ok for one in truths), *kept,
        )  # fmt: skip


def measures(one: Judged) -> dict[str, float]:
    """What is averaged, of one response; NaN for what was not measured."""
    right = math.nan if one.right is None else float(one.right)
    found = {
        "right": right,
        "steps": float(np.mean(one.steps_ok)),
        "prefixes": float(np.mean(one.prefixes_ok)),
        "wrong_way": right * (not all(one.steps_ok)),
        "only_verifier": right * (not one.answer_ok),
        "tokens": float(one.tokens),
        "num_steps": float(len(one.steps_ok)),
        "cut": float(not one.ended),
        "kl": one.log_ratio,
        "score": math.nan,
        "gap": math.nan,
        "liked": math.nan,
        "liked_wrong": math.nan,
        "unscored": float(one.scores is None),
    }
    if one.scores is not None and one.scored_prefixes_ok is not None:
        found["score"] = float(np.mean(one.scores))
        found["gap"] = found["score"] - float(np.mean(one.scored_prefixes_ok))
        found["liked"] = float(min(one.scores) > LIKED)
        found["liked_wrong"] = found["liked"] * (not all(one.scored_prefixes_ok))
    return found


def summary(draws: Sequence[Sequence[Judged]]) -> Json:
    """Of all draws of a policy, a list for every problem: the mean of every measure on every problem, and what is pooled."""
    by_problem = [[measures(one) for one in of_one] for of_one in draws]
    values = {name: [_mean([one[name] for one in of_one]) for of_one in by_problem] for name in by_problem[0][0]}
    values["any_right"] = [_any_right(of_one) for of_one in draws]
    flat = [one for of_one in draws for one in of_one]
    scored = [one for one in flat if one.scores is not None and one.scored_prefixes_ok is not None]
    truth = [ok for one in scored for ok in one.scored_prefixes_ok or ()]
    score = [each for one in scored for each in one.scores or ()]
    auc = float(metrics.auc(truth, score))
    return {
        "problems": [of_one[0].name for of_one in draws],
        "draws": len(draws[0]),
        "auc": None if math.isnan(auc) else round(auc, 4),
        "values": values,
        "liked_most": liked_most(scored),
    }


def _any_right(draws: Sequence[Judged]) -> float | None:
    """Null where none is right and one of them could not be judged."""
    if any(one.right for one in draws):
        return 1.0
    return None if any(one.right is None for one in draws) else 0.0


def liked_most(scored: Sequence[Judged], count: int = 3) -> list[Json]:
    """Responses with something wrong that the reward model likes most, by its lowest score; one a problem."""
    wrong = [one for one in scored if not all(one.scored_prefixes_ok or ())]
    found: dict[str, Judged] = {}
    for one in sorted(wrong, key=lambda each: (-min(each.scores or (0,)), each.name, each.text)):
        found.setdefault(one.name, one)
    return [
        {"name": one.name, "steps": list(one.scored_steps or ()), "scores": [round(score, 3) for score in one.scores or ()],
         "prefixes_ok": list(one.scored_prefixes_ok or ()), "right": one.right}
        for one in list(found.values())[:count]
    ]  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    """Of those that were measured; null without any."""
    known = [value for value in values if not math.isnan(value)]
    return round(float(np.mean(known)), 5) if known else None
