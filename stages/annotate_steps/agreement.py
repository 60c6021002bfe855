"""How far people agree, and what they say together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stages.annotate_steps.labels import LABELS, Entry, Label

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the steps that at least two people labelled: Krippendorff's α (nominal), and the share of pairs that are equal.

    Null where nothing can be said: fewer than two labels to compare, or, for α, only one value among all of them.
    """

    steps: int
    alpha: float | None
    equal_pairs: float | None
    confusion: Mapping[tuple[Label, Label], int]


def agreement(said: Mapping[Key, Mapping[str, Entry]]) -> Agreement:
    """Over the labels that stand now, by step and annotator."""
    several = {key: held for key, held in said.items() if len(held) > 1}
    confusion: Counter[tuple[Label, Label]] = Counter()
    for held in several.values():
        for one, other in combinations((entry.label for entry in held.values()), 2):
            assert one is not None
            assert other is not None
            first, second = sorted((one, other), key=LABELS.index)
            confusion[first, second] += 1
    pairs = sum(confusion.values())
    equal = sum(count for (one, other), count in confusion.items() if one == other)
    return Agreement(len(several), alpha(several), equal / pairs if pairs else None, dict(confusion))


def alpha(said: Mapping[Key, Mapping[str, Entry]]) -> float | None:
    """Krippendorff's α of nominal labels; null where it is not defined."""
    counts = np.array(
        [[sum(entry.label == label for entry in held.values()) for label in LABELS] for held in said.values()]
    )
    if not len(counts) or np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def together(
    said: Mapping[Key, Mapping[str, Entry]], decided: Mapping[Key, Entry]
) -> dict[Key, tuple[Label | None, str]]:
    """Of every step that anyone labelled its label and how it came about.

    `settled` where somebody decided, `all` where everyone says the same, `most` where more than half do; else null and `split`.
    """
    found: dict[Key, tuple[Label | None, str]] = {}
    for key in {**said, **decided}:
        if key in decided:
            found[key] = decided[key].label, "settled"
            continue
        labels = Counter(entry.label for entry in said[key].values())
        (first, count), *_ = labels.most_common()
        if len(labels) == 1:
            found[key] = first, "all"
        else:
            found[key] = (first, "most") if 2 * count > labels.total() else (None, "split")
    return found


def disagreements(said: Mapping[Key, Mapping[str, Entry]], decided: Mapping[Key, Entry]) -> Sequence[Key]:
    """The steps on which people differ and nobody has decided, in order."""
    return sorted(
        key for key, held in said.items() if key not in decided and len({entry.label for entry in held.values()}) > 1
    )
