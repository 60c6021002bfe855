"""What a folder was made from: noted beside what was made, and compared with what is asked for the next time.

Each stage has its own file and keys for that; reading, comparing and refusing are here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.store import Store

_SHOWN = 40
"""Characters of a value in a refusal."""


def digest(parts: Any) -> str:
    """64 hex digits that stand for values which can be written as JSON; keys count in any order."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def noted(store: Store, name: str, mend: str) -> dict[str, Any] | None:
    """What the file `name` (YAML by its suffix, or JSON) in a folder says; None if there is no such file.

    Raises:
        UserError: it can't be read; ends with `mend`.
    """
    if not store.exists(name):
        return None
    try:
        text = store.read_text(name)
        found = yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("no keys and values")
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{store.address(name)}: can't be read ({reason}): {mend}") from error
    return found


def check(
    place: str, held: Mapping[str, Any], wanted: Mapping[str, Any], mend: str, what: str = "made with other settings"
) -> None:
    """Compares what a place was made from with what is asked for; a key that is missing is null.

    Raises:
        UserError: they differ. One line: `place: what: key (held, now wanted), …: mend`.
    """
    differing = [key for key in sorted(held.keys() | wanted.keys()) if held.get(key) != wanted.get(key)]
    if differing:
        changes = ", ".join(f"{key} {_change(held.get(key), wanted.get(key))}" for key in differing)
        raise UserError(f"{place}: {what}: {changes}: {mend}")


def _change(held: Any, wanted: Any) -> str:
    """Both values on one line; of long ones the part where they begin to differ."""
    texts = [_text(value).replace("\n", " ") for value in (held, wanted)]
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    start = max(0, alike - _SHOWN // 2) if max(map(len, texts)) > _SHOWN else 0
    before, now = (_short(text[start:], start > 0) for text in texts)
    return f"({before}, now {now})"


def _text(value: Any) -> str:
    """As a config has it, null and all."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str, is_rest: bool) -> str:
    return ("..." if is_rest else "") + (text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
