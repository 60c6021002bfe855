"""Logits at slots that were read before: what an engine's prefix cache holds has been read, and was answered then.

Solutions of one problem often begin with the same steps. vLLM gives no logits of tokens that come from its cache, so
those of the slots among them are kept here, under what stands before the slot.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from stages.reward.render import Rendering

MOST = 1 << 16
"""Slots that are kept, the latest ones: some 20 MB."""


class KnownSlots:
    """Of one engine, and so of one model."""

    def __init__(self, most: int = MOST) -> None:
        self._rows: OrderedDict[bytes, Any] = OrderedDict()
        self._most = most

    def add(self, keys: Sequence[bytes], rows: Sequence[Any]) -> None:
        """The logits at the slots of those keys."""
        for key, row in zip(keys, rows, strict=True):
            self._rows[key] = row
            self._rows.move_to_end(key)
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)

    def get(self, key: bytes) -> Any | None:
        return self._rows.get(key)


def slot_keys(rendering: Rendering, images: Sequence[str]) -> list[bytes]:
    """A key for each slot: a hash of the images' names and of all tokens before the slot."""
    digest, begin, found = hashlib.sha256("\n".join(images).encode()), 0, []
    for slot in rendering.slots:
        digest.update(array("q", rendering.token_ids[begin:slot]).tobytes())
        begin = slot
        found.append(digest.digest())
    return found
