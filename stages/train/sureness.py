"""Whether a model of counts is as sure as it should be: its Betas against draws that it did not learn from. Pure.

All arrays have shape (steps,): means and concentrations of the Betas, and k successes of n draws.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stages.reward.beta import shapes

Floats = NDArray[np.float64]
LEVELS = (0.8, 0.95)
SCALE = "concentration_scale"
"""The metric's name, and that of the setting in `prm_config.json`."""
_LARGEST_SCALE = 1e3


def log_likelihood(means: Floats, concentrations: Floats, k: Floats, n: Floats) -> float:
    """Of all counts under the Beta-Binomials, without the binomial coefficients."""
    from scipy.special import betaln

    a, b = shapes(means, concentrations)
    return float((betaln(a + k, b + n - k) - betaln(a, b)).sum())


def concentration_scale(means: Floats, concentrations: Floats, k: Floats, n: Floats) -> float:
    """The factor on all concentrations under which the counts are likeliest; 1 without any step."""
    from scipy.optimize import minimize_scalar

    if not len(k):
        return 1.0
    bound = math.log(_LARGEST_SCALE)
    found = minimize_scalar(
        lambda log_scale: -log_likelihood(means, concentrations * math.exp(log_scale), k, n),
        bounds=(-bound, bound),
        method="bounded",
    )
    return math.exp(found.x)


def coverage(level: float, means: Floats, concentrations: Floats, k: Floats, n: Floats) -> float:
    """The share of steps whose count lies in the middle `level` of what the model expects of n draws.

    Counts are whole: where an end of the middle falls within a count's own probability, the step counts in part. So a model
    that is as sure as it should be has just `level`, also where nearly all draws succeed or fail.

    Args:
        level: in (0, 1).

    Returns: in [0, 1]; NaN without any step.
    """
    from scipy.stats import betabinom

    if not len(k):
        return math.nan
    a, b = shapes(means, concentrations)
    upto, own = betabinom.cdf(k, n, a, b), betabinom.pmf(k, n, a, b)
    low, high = (1 - level) / 2, (1 + level) / 2
    inside = np.minimum(upto, high) - np.maximum(upto - own, low)
    return float((inside / np.maximum(own, 1e-300)).clip(0.0, 1.0).mean())
