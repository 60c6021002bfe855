"""A turn of a conversation that is a list of parts, as chat APIs take it: texts and pictures in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.records import IMAGE

_PAYLOADS = ("image_url", "image", "url", "path", "bytes", "data", "base64")


def is_parts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(
        isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in value
    )  # fmt: skip


def text_of(value: Any) -> Any:
    """The text of a turn's parts, `<image>` where a picture stands; any other value as it is."""
    if not is_parts(value):
        return value
    # Texts follow each other as a model's chat template puts them.
    return "".join(IMAGE if _is_picture(part) else str(part.get("text") or "") for part in value)


def pictures_of(value: Any) -> list[Any]:
    """The pictures that a turn's parts hold or name; a part that only marks a picture's place holds none."""
    if not is_parts(value):
        return []
    return [picture for part in value if _is_picture(part) and (picture := _picture(part)) is not None]


def _is_picture(part: Mapping[str, Any]) -> bool:
    return "image" in part["type"]


def _picture(part: Mapping[str, Any]) -> Any:
    for key in _PAYLOADS:
        value = part.get(key)
        if isinstance(value, Mapping) and "url" in value:
            value = value["url"]
        if value is not None:
            return value
    return None
