"""The order of training samples: shuffled, yet each batch of samples of about one length, so that little is padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

POOL_BATCHES = 50
"""Samples are sorted by length among this many batches, drawn at random in each epoch."""


def grouped_order(lengths: np.ndarray, batch: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of the samples whose consecutive `batch` samples are alike in length.

    It follows from its arguments alone, so a training that goes on finds the order that it left. Batches come in
    random order; one that isn't full comes last.
    """
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(lengths))
    pool = batch * POOL_BATCHES
    full: list[np.ndarray] = []
    last: list[np.ndarray] = []
    for start in range(0, len(shuffled), pool):
        part = shuffled[start : start + pool]
        # Stable, so that samples of one length stay in random order.
        part = part[np.argsort(lengths[part], kind="stable")]
        cut = len(part) - len(part) % batch
        full.extend(part[:cut].reshape(-1, batch))
        last.append(part[cut:])
    order = [full[index] for index in rng.permutation(len(full))]
    return np.concatenate([*order, *last]).astype(np.int64)


def padding_share(lengths: np.ndarray, order: np.ndarray, batch: int) -> float:
    """The share of a padded epoch's tokens that is padding, in [0, 1)."""
    ordered = lengths[order]
    padded = sum(len(part) * part.max() for part in np.split(ordered, range(batch, len(ordered), batch)))
    return float(1 - ordered.sum() / padded)


class GroupedSampler:
    """`grouped_order` as a sampler; `epoch` says which one is asked for."""

    def __init__(self, lengths: np.ndarray, batch: int, seed: int, epoch: Callable[[], int]) -> None:
        self._lengths, self._batch, self._seed, self._epoch = lengths, batch, seed, epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(grouped_order(self._lengths, self._batch, self._seed, self._epoch()).tolist())
