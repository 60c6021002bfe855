"""What label a step gets from its counts, by each kind of label: one step at a time, and many at once. Pure.

| kind | `+` | `-` | no label |
|---|---|---|---|
| `mc` | mc above `threshold` (arXiv 2503.10291, section 3.1) | else | nothing was measured |
| `band` | mc at least `high` | mc at most `low` | between the two, too |
| `interval` | mc and all of the interval above `threshold` | mc and all of it below | else |
| `judge` | the judge says so | the judge says so | the judge has no verdict, or a neutral one |
| `consensus` | `mc` and `judge` both say so | both say so | they differ, or one has none, too |

mc = k / n. The interval is the equal-tailed one of Beta(k + ½, n − k + ½), Jeffreys' posterior of k successes in n draws. A
solution's own answer, which gives its last step 1 of 1 or 0 of 1, is no sample: nothing is drawn after the end, so mc is
known, and `band` and `interval` give it the label of `mc`.

`consensus` with `agreement: first_error` keeps a solution's labels of `mc` up to and with its first `-`, or all of them where
there is none, if the judge names the same first wrong step, or none, and has a verdict on every step up to there; else no
step of the solution has a label. A neutral verdict is one, and `context` needs none.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from pipeline.config import LabelConfig
from pipeline.records import StepOrigin

Label = Literal["+", "-"]

LABELS: tuple[Label, ...] = get_args(Label)
ORIGINS: tuple[StepOrigin, ...] = get_args(StepOrigin)
NEUTRAL = len(LABELS)
"""Where a judge says `+` or `-` by an index into `LABELS`: it calls the step neither, which is a verdict, but no label."""

_RIGHT, _WRONG, _NONE = LABELS.index("+"), LABELS.index("-"), -1
_OWN, _IMPLIED = ORIGINS.index("own_answer"), ORIGINS.index("implied")


def label_of(score: float | None, origin: str, threshold: float, given: Label | None = None) -> Label | None:
    """What a step's label is by `mc`: `+` if its mc is above the threshold, else `-`; null if that is not known.

    Without a score there is a label at threshold 0 alone: of an implied step, which was not drawn from, but a later
    prefix of the same solution reached the right answer; and of a step that came with the label alone. Both say whether
    mc is above 0, not how far.

    Args:
        score: mc in [0, 1].
        origin: the step's `origin`.
        threshold: in [0, 1).
        given: the label that the step came with; it counts where there is no score.
    """
    if score is not None:
        return "+" if score > threshold else "-"
    if threshold > 0:
        return None
    return "+" if origin == "implied" else given


def counted_label(correct: int, total: int, origin: str, config: LabelConfig) -> Label | None:
    """The label of a step with k = `correct` of n = `total`, by `band`, `interval` or else `mc`; n is 0 if nothing was measured."""
    score = correct / total if total else None
    if config.kind not in ("band", "interval") or score is None or origin == "own_answer":
        return label_of(score, origin, config.threshold if config.kind != "band" else 0.0)
    if config.kind == "band":
        return "+" if score >= config.high else "-" if score <= config.low else None
    below, tail = _below(correct, total, config.threshold), (1 - config.confidence) / 2
    # With few draws the whole interval can lie on the side that mc is not on: that is no label, either.
    above = score > config.threshold
    return "+" if above and below <= tail else "-" if not above and below >= 1 - tail else None


def counted_labels(correct: np.ndarray, total: np.ndarray, origin: np.ndarray, config: LabelConfig) -> np.ndarray:
    """`counted_label` of many steps: an index into `LABELS` each, or -1.

    Args:
        correct, total: k and n, 0 and 0 where nothing was measured, [steps].
        origin: indices into `ORIGINS`, [steps].
    """
    with np.errstate(invalid="ignore"):
        score = correct / total
    threshold = config.threshold if config.kind != "band" else 0.0
    by_score = np.where(score > threshold, _RIGHT, _WRONG)
    without = _NONE if threshold > 0 else np.where(origin == _IMPLIED, _RIGHT, _NONE)
    plain = np.where(total > 0, by_score, without)
    if config.kind not in ("band", "interval"):
        return plain
    if config.kind == "band":
        right, wrong = score >= config.high, score <= config.low
    else:
        below, tail = _below(correct, total, config.threshold), (1 - config.confidence) / 2
        above = score > config.threshold
        right, wrong = above & (below <= tail), ~above & (below >= 1 - tail)
    doubtful = np.where(right, _RIGHT, np.where(wrong, _WRONG, _NONE))
    return np.where((total == 0) | (origin == _OWN), plain, doubtful)


def judged_labels(mc: np.ndarray, judged: np.ndarray, lengths: np.ndarray, config: LabelConfig) -> np.ndarray:
    """The labels of steps by `judge` or `consensus`, from those that `mc` and the judge give: an index into `LABELS` or -1.

    Args:
        mc: an index into `LABELS` for each step, or -1, [steps].
        judged: an index into `LABELS`, `NEUTRAL`, or -1 where the judge has no verdict, [steps].
        lengths: the number of steps of each solution, [solutions].
    """
    if config.kind == "judge":
        return np.where(judged == NEUTRAL, _NONE, judged)
    if config.agreement == "step":
        return np.where(mc == judged, mc, _NONE)
    first, named = _first(mc == _WRONG, lengths), _first(judged == _WRONG, lengths)
    # Where a verdict is missing before it, the judge may have another first error; where it names none, one at all.
    sure = _first(judged == _NONE, lengths) >= named
    place = np.arange(len(mc)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    agreed = np.repeat((first == named) & sure, lengths)
    return np.where(agreed & (place <= np.repeat(first, lengths)), mc, _NONE)


def _first(holds: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The first place among each solution's steps where this holds, a number above all places where it never does, [solutions]."""
    never = np.iinfo(np.int64).max
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(holds)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found = np.full(len(lengths), never)
    np.minimum.at(found, owner, np.where(holds, place, never))
    return found


def _below(correct: int | np.ndarray, total: int | np.ndarray, threshold: float) -> float | np.ndarray:
    """The probability that mc is at most `threshold`, under Jeffreys' posterior; one, or one a step."""
    from scipy.special import betainc

    found: float | np.ndarray = betainc(correct + 0.5, total - correct + 0.5, threshold)
    return found
