"""A source for tests of the machinery: small pictures, the answer is always 4."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image


def rows(count: int, word: str = "Question") -> Iterator[dict]:
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (24, 24), (number % 256, number // 256, 90)).save(buffer, "PNG")
        yield {
            "id": f"q{number}",
            "image": buffer.getvalue(),
            "question": f"{word} {number}?",
            "answer": "4",
        }
