"""How long a conversation may be in training, and what of it fits: what a model cannot read is not scored either."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RowError
from stages.reward.render import Rendering, expand, truncate


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens of a conversation, images expanded, and what sets it."""

    tokens: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}={self.tokens}" if "." in self.name else f"{self.name} of {self.tokens} tokens"


def fit(rendering: Rendering, lengths: Sequence[int], limit: Limit, image_id: int | None) -> Rendering:
    """The leading steps that fit, of a rendering whose images take `lengths` tokens.

    Raises:
        RowError: not even the first step does.
    """
    fitted = truncate(expand(rendering, image_id, [[0] * length for length in lengths]), limit.tokens)
    if fitted is None:
        raise RowError("too_long", f"its first step ends beyond {limit}")
    return fitted


def image_lengths(processor: Any, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """The tokens that stand for images of these (height, width), as the processor will expand them."""
    if not sizes:
        return []
    lengths: list[int] = processor._get_num_multimodal_tokens(
        image_sizes=[list(size) for size in sizes]
    ).num_image_tokens
    return lengths


def image_size(data: bytes | None) -> tuple[int, int]:
    """(height, width) of an image that was decoded to its end, so that no data loader meets a broken one.

    Raises:
        RowError: it is broken.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data or b"")) as image:
            image.load()
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RowError("bad_image", str(error)) from error
