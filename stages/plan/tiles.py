"""How many tokens an image is: InternVL cuts it into tiles, Qwen-VL counts its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from typing import Any


@dataclass(frozen=True, slots=True)
class Tiling:
    """`tile` is the side of a tile in pixels, `tokens` what one tile becomes."""

    tile: int
    tokens: int


def tiling(model: Mapping[str, Any]) -> Tiling | None:
    """From a model's config.json, in the form of transformers or of InternVL's own code; None if it says nothing."""
    vision = model.get("vision_config") or {}
    side, patch = _side(vision.get("image_size")), _side(vision.get("patch_size"))
    if side is None:
        return None
    if tokens := model.get("image_seq_length"):
        return Tiling(side, int(tokens))
    ratio = model.get("downsample_ratio")
    return Tiling(side, int((side // patch) ** 2 * ratio**2)) if patch and ratio else None


def _side(value: Any) -> int | None:
    return int(value[0] if isinstance(value, list) else value) if value else None


@lru_cache(maxsize=65536)
def count_tiles(width: int, height: int, max_tiles: int, tile: int) -> int:
    """The tiles of one image, the thumbnail included that goes with two or more.

    The grid of at most `max_tiles` whose shape is nearest to the image's; of equally near ones the larger, if the
    image has more than half of its pixels (InternVL's dynamic resolution, arXiv 2404.16821, section 3.3).
    """
    grids = sorted(
        ((x, y) for x in range(1, max_tiles + 1) for y in range(1, max_tiles + 1) if x * y <= max_tiles),
        key=lambda grid: grid[0] * grid[1],
    )
    best, best_distance = (1, 1), float("inf")
    for x, y in grids:
        distance = abs(width / height - x / y)
        if distance < best_distance or (distance == best_distance and 2 * width * height > tile**2 * x * y):
            best, best_distance = (x, y), distance
    tiles = best[0] * best[1]
    return tiles + (tiles > 1)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A token is a square of `side` pixels; images are scaled to have at least `fewest` and at most `most` pixels."""

    side: int
    fewest: int
    most: int

    def tokens(self, width: int, height: int, max_pixels: int | None = None) -> int:
        """Of one image: its sides rounded to squares, then both scaled by one factor where the area is too large or too
        small (as Qwen2-VL's processor does it, arXiv 2409.12191)."""
        most = max_pixels or self.most
        rows, columns = (round(side / self.side) for side in (height, width))
        area = rows * columns * self.side**2
        if area > most:
            scale = sqrt(height * width / most)
            rows, columns = (max(1, int(side / scale / self.side)) for side in (height, width))
        elif area < min(self.fewest, most):
            scale = sqrt(min(self.fewest, most) / (height * width))
            rows, columns = (ceil(side * scale / self.side) for side in (height, width))
        return max(1, rows * columns)

    def at_most(self, max_pixels: int | None = None) -> int:
        """Tokens of the largest image."""
        return (max_pixels or self.most) // self.side**2


def pixels(images: Mapping[str, Any]) -> Pixels | None:
    """From the settings of an image processor; None if it doesn't count pixels."""
    size = images.get("size") or {}
    most = images.get("max_pixels") or size.get("longest_edge")
    if not most or not images.get("merge_size") or not images.get("patch_size"):
        return None
    fewest = images.get("min_pixels") or size.get("shortest_edge") or 0
    return Pixels(int(images["patch_size"]) * int(images["merge_size"]), int(fewest), int(most))
