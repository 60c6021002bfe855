"""Losses against `torch`'s own distributions, and their limits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.train.loss import beta_binomial, cross_entropy, label_log_probs, scores, weighted_sum


def test_labels_compete_among_themselves_or_with_the_vocabulary() -> None:
    logits = torch.tensor([[1.0, 2.0, 9.0]])
    ids = torch.tensor([0, 1])
    assert label_log_probs(logits, ids, "labels").exp().sum().item() == pytest.approx(1)
    full = label_log_probs(logits, ids, "vocabulary")
    assert full[0].tolist() == pytest.approx(torch.log_softmax(logits, -1)[0, :2].tolist())


def test_cross_entropy_of_hard_and_soft_targets() -> None:
    log_probs = torch.log(torch.tensor([[0.8, 0.2], [0.8, 0.2]]))
    mass = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert cross_entropy(log_probs, mass).tolist() == pytest.approx([0.2231, (0.2231 + 1.6094) / 2], abs=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 6), st.integers(0, 6), st.floats(-8, 8), st.floats(-8, 8))
def test_beta_binomial_sums_to_one_with_its_coefficient(k: int, rest: int, plus: float, minus: float) -> None:
    logits = torch.tensor([plus, minus], dtype=torch.float64)
    n = k + rest
    each = [beta_binomial(logits.log_softmax(-1), logits.logsumexp(-1), torch.tensor([float(i), float(n - i)]))
            for i in range(n + 1)]  # fmt: skip
    coefficient = [
        torch.lgamma(torch.tensor([n + 1.0, i + 1.0, n - i + 1.0], dtype=torch.float64)) for i in range(n + 1)
    ]
    total = sum(float(torch.exp(c[0] - c[1] - c[2] - loss)) for c, loss in zip(coefficient, each, strict=True))
    assert total == pytest.approx(1, abs=1e-6)


def test_beta_binomial_is_least_at_the_share_drawn() -> None:
    counts = torch.tensor([4.0, 12.0])
    means = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    found = [beta_binomial(torch.stack([m, 1 - m]).log(), torch.tensor(5.0), counts).item() for m in means]
    assert means[int(torch.tensor(found).argmin())].item() == pytest.approx(0.25)


def test_extreme_logits_keep_a_finite_loss_and_gradient() -> None:
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    loss = beta_binomial(logits.log_softmax(-1), logits.logsumexp(-1), torch.tensor([[0.0, 16.0], [0.0, 16.0]]))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_slots_without_weight_do_not_count_even_if_they_are_not_finite() -> None:
    losses = torch.tensor([[1.0, float("nan")], [2.0, 3.0]])
    assert weighted_sum(losses, torch.tensor([[2.0, 0.0], [0.5, 0.0]])).item() == 3.0


def test_scores_are_the_expected_weight() -> None:
    log_probs = torch.log(torch.tensor([[0.6, 0.3, 0.1]]))
    assert scores(log_probs, torch.tensor([1.0, 0.0, -1.0])).tolist() == pytest.approx([0.5])
