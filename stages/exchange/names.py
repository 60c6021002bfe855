"""Names of images: where a corpus's paths lie below its image root, and what an export calls its files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.errors import RowError

MAX_DROP = 4
MAX_STEM = 160
"""Characters of a source in a file's name: with what stands around it, any file system takes it."""
_EXTENSIONS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True, order=True)
class Layout:
    """How an annotation's path becomes a name below the image root: drop components in front, put a folder there.

    VisualPRM400K-v1.1-Raw writes `VisualPRM400K-v1.1-Raw/Geometry3K/…/x.png` for `images/Geometry3K/…/x.png`.
    """

    drop: int = 0
    prefix: str = ""

    def apply(self, name: str) -> str:
        return self.prefix + "/".join(name.split("/")[self.drop :])


def detect_layout(names: Iterable[str], exists: Callable[[str], bool], drop: int | None = None) -> Layout | None:
    """The layout by which most of the names exist, the one that drops least among equals; null if none does.

    `drop` fixes how many components go.
    """
    found: Counter[Layout] = Counter()
    for name in names:
        for layout in (Layout(n, prefix) for n in _drops(drop) for prefix in ("", "images/")):
            if layout.drop < len(name.split("/")):
                found[layout] += exists(layout.apply(name))
    best = min(found, key=lambda layout: (-found[layout], layout), default=None)
    return best if best is not None and found[best] else None


def own_name(source: str | None, sha256: str, data: bytes) -> str:
    """`<source>/<hash>.<type>`: the same image of a source is one file."""
    for start, extension in _EXTENSIONS.items():
        if data.startswith(start):
            return f"{file_stem(source)}/{sha256[:32]}.{extension}"
    raise RowError("unknown_image_type", f"{sha256}: neither PNG, JPEG nor WebP")


def file_stem(source: str | None) -> str:
    """A source's name as a single component of a path.

    One that is too long, or of whose letters an underline would be all that is left, is told by a hash.
    """
    name = source or "unnamed"
    stem = re.sub(r"[^\w+.-]|^\.+", "_", name, flags=re.ASCII)
    if len(stem) <= MAX_STEM and name.isascii():
        return stem
    return f"{stem[:MAX_STEM]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def file_name(name: str) -> str:
    """A file's name as a single component of a path, with its ending."""
    found = re.fullmatch(r"(.+)(\.\w+)", name, re.ASCII | re.DOTALL)
    return file_stem(found[1]) + found[2] if found else file_stem(name)


def is_safe(name: str) -> bool:
    """Whether a path from a file leads to a place below the folder that it is put in."""
    parts = name.split("/")
    plain = not any(character in name for character in "\\\0") and name.isprintable()
    return plain and all(part not in ("", ".", "..") and len(part.encode()) <= 200 for part in parts)


def _drops(drop: int | None) -> Iterable[int]:
    return range(MAX_DROP + 1) if drop is None else (drop,)
