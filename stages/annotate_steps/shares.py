"""Who labels what. Pure: the same tasks and names give the same shares."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence


def shares(tasks: Sequence[str], annotators: Sequence[str], overlap: float) -> dict[str, list[str]]:
    """Annotator → tasks, in the order in which to label them.

    A share `overlap` of the tasks goes to everyone, the others to one each in turn. What everyone labels stands spread
    among the rest, so that agreement is known early and does not depend on how tired people are.
    """
    ordered = sorted(tasks, key=_hash)
    everyone = ordered[: math.ceil(overlap * len(ordered))]
    rest = ordered[len(everyone) :]
    return {
        name: sorted([*everyone, *rest[number :: len(annotators)]], key=lambda task: _hash(f"order {task}"))
        for number, name in enumerate(annotators)
    }


def share_of(name: str, tasks: Sequence[str], annotators: Sequence[str], overlap: float) -> list[str] | None:
    """What a person labels; everything where nobody is named, None for somebody who is not."""
    if not annotators:
        return shares(tasks, [name], 1.0)[name]
    return shares(tasks, annotators, overlap).get(name)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
