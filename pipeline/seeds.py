"""Seeds that depend on what is drawn, never on when or where."""

from __future__ import annotations

import hashlib


def base_seed(*parts: str | int) -> int:
    """48 bits of SHA-256 over the parts; draw j of what they name has `base_seed(...) + j`."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
