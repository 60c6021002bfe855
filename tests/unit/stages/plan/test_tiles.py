"""How many tokens an image is, as the families' own processors have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.plan.tiles import Tiling, count_tiles, pixels, tiling
from tests.families import family


@pytest.mark.parametrize(
    ("width", "height", "max_tiles", "tiles"),
    [
        (448, 448, 6, 1),
        (1000, 1000, 12, 10),  # 3 × 3, large enough for it, and a thumbnail
        (800, 400, 6, 3),
        (300, 900, 6, 4),
        (640, 480, 1, 1),
        (640, 480, 12, 13),  # 4 × 3
    ],
)
def test_tiles(width: int, height: int, max_tiles: int, tiles: int) -> None:
    assert count_tiles(width, height, max_tiles, 448) == tiles


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 24))
def test_no_image_has_more_tiles_than_allowed_and_a_thumbnail(width: int, height: int, max_tiles: int) -> None:
    found = count_tiles(width, height, max_tiles, 448)
    assert 1 <= found <= max_tiles + 1
    assert found != 2


def test_tiling_of_both_kinds_of_config() -> None:
    ours = {"image_seq_length": 256, "vision_config": {"image_size": [448, 448], "patch_size": [14, 14]}}
    theirs = {"downsample_ratio": 0.5, "vision_config": {"image_size": 448, "patch_size": 14}}
    assert tiling(ours) == tiling(theirs) == Tiling(448, 256)
    assert tiling({}) is None


@pytest.mark.parametrize("size", [(100, 60), (300, 60), (7, 9), (640, 480), (3000, 2000)])
@pytest.mark.parametrize("most", [None, 5_000])
def test_pixels_are_counted_as_the_processor_counts_them(size: tuple[int, int], most: int | None) -> None:
    _, processor = family("qwen3_vl")
    images = processor.image_processor
    counted = pixels({"size": dict(images.size), "merge_size": images.merge_size, "patch_size": images.patch_size})
    limit = {} if most is None else {"size": {**dict(images.size), "longest_edge": most}}
    grid = images(images=[Image.new("RGB", size)], return_tensors="pt", **limit)["image_grid_thw"][0].tolist()
    assert counted is not None
    assert counted.tokens(*size, most) == grid[1] * grid[2] // 4
    assert grid[1] * grid[2] // 4 <= counted.at_most(most)
    assert pixels({"size": {"height": 32, "width": 32}}) is None
