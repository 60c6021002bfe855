"""The order of samples: a permutation, the same each time, with little padding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.train.order import GroupedSampler, grouped_order, padding_share


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_every_sample_once_and_always_the_same_way(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    order = grouped_order(np.array(lengths, dtype=int), batch, seed, epoch)
    assert sorted(order) == list(range(len(lengths)))
    assert order.tolist() == grouped_order(np.array(lengths, dtype=int), batch, seed, epoch).tolist()


def test_epochs_and_seeds_differ() -> None:
    lengths = np.arange(100)
    orders = {tuple(grouped_order(lengths, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_batches_are_alike_in_length_and_in_random_order() -> None:
    lengths = np.random.default_rng(0).integers(10, 400, 1000)
    order = grouped_order(lengths, 8, 0, 0)
    assert padding_share(lengths, order, 8) < 0.05 < padding_share(lengths, np.arange(1000), 8)
    firsts = lengths[order][::8]
    assert not np.array_equal(firsts, np.sort(firsts))


def test_padding_is_counted_by_hand() -> None:
    assert padding_share(np.array([2, 4, 3]), np.array([0, 1, 2]), 2) == 1 - 9 / 11


def test_a_sampler_follows_the_epoch() -> None:
    epoch = 0
    sampler = GroupedSampler(np.arange(50), 4, 0, lambda: epoch)
    first = list(sampler)
    epoch = 1
    assert list(sampler) != first
    epoch = 0
    assert list(sampler) == first
    assert len(sampler) == 50
