"""Losses and scores at label slots. Logits come from the position just before a slot, which predicts its label."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from stages.reward.beta import MARGIN, concentration


def label_log_probs(logits: Tensor, label_ids: Tensor, softmax: Literal["labels", "vocabulary"]) -> Tensor:
    """Log-probabilities of the labels.

    Among the labels alone they are what a scorer reads, so nothing is spent on telling labels from other tokens
    (which the model never has to choose from). Over the vocabulary they are the reference's.

    Args:
        logits: [..., vocabulary].
        label_ids: [C].

    Returns: [..., C], in float32.
    """
    if softmax == "vocabulary":
        return torch.log_softmax(logits.float(), -1)[..., label_ids]
    return torch.log_softmax(logits[..., label_ids].float(), -1)


def cross_entropy(log_probs: Tensor, mass: Tensor) -> Tensor:
    """−Σ mass · log P over the labels, of hard and of soft targets: [..., C] each, to [...]."""
    return -(mass * log_probs).sum(-1)


def beta_binomial(log_probs: Tensor, size: Tensor, counts: Tensor) -> Tensor:
    """−log P(k | n, α, β) up to the binomial coefficient, which doesn't depend on the model.

    The mean α / (α + β) is P(+) of the two labels, so a score is read as from any other model. How sure it is,
    α + β, follows from how high both logits stand (`stages/reward/beta.py`).

    Args:
        log_probs: [..., 2], of + and − among the two.
        size: [...], the logarithm of the sum of both labels' exponentiated logits.
        counts: [..., 2], k and n − k.

    Returns: [...].
    """
    pair = concentration(size)[..., None] * log_probs.exp().clamp(MARGIN, 1 - MARGIN)
    gained = torch.lgamma(pair + counts) - torch.lgamma(pair)
    total = pair.sum(-1)
    return torch.lgamma(total + counts.sum(-1)) - torch.lgamma(total) - gained.sum(-1)


def weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """Σ weight · loss; slots of weight 0 don't count, whatever their loss: [B, S] each, to a scalar."""
    return torch.where(weights > 0, weights * losses, 0.0).sum()


def scores(log_probs: Tensor, label_weights: Tensor) -> Tensor:
    """Σ P(label) · weight (arXiv 2503.10291, section 4): [..., C] and [C] to [...]."""
    return (log_probs.exp() * label_weights).sum(-1)
