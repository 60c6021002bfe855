"""How well scores tell right steps from wrong ones. Pure; no measure is given where it has no meaning."""

from __future__ import annotations

import numpy as np


def macro_f1(right: np.ndarray, called_right: np.ndarray) -> float:
    """The mean of the F1 of right and of wrong steps (arXiv 2503.10291, section 5.3): booleans [N] each."""
    return (_f1(right, called_right) + _f1(~right, ~called_right)) / 2


def roc_auc(right: np.ndarray, scores: np.ndarray) -> float | None:
    """The probability that a right step scores above a wrong one, ties half: [N] each; None without both kinds."""
    positive, negative = int(right.sum()), int((~right).sum())
    if not positive or not negative:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    ranks = mean_rank[inverse]
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration_error(right: np.ndarray, scores: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: |share right − mean score| over equal bins of [0, 1], weighted by steps."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(right[index == k].mean() - scores[index == k].mean()) * (index == k).mean() for k in np.unique(index)]
    return float(sum(gaps))


def _f1(truth: np.ndarray, called: np.ndarray) -> float:
    hits = int((truth & called).sum())
    return 2 * hits / max(1, int(truth.sum()) + int(called.sum()))
