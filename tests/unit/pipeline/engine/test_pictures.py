"""The limit of a source reaches the image processor in the words that it reads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image
from transformers import AutoProcessor, GotOcr2ImageProcessor, Pix2StructImageProcessor

from pipeline.engine import Prompt
from pipeline.engine.pictures import PictureLimit, picture_limit
from pipeline.errors import RowError
from tests.families import POLICY, family

WIDE = Image.new("RGB", (320, 32))


def test_released_internvl_processors_keep_to_the_most_tiles() -> None:
    """Their files say `crop_to_patches: false`, and they crop nevertheless."""
    _, processor = family("internvl")
    size = {"height": 32, "width": 32}
    processor.image_processor = GotOcr2ImageProcessor(size=size, crop_to_patches=False, min_patches=1, max_patches=12)

    def tiles(**limit: int) -> int:
        return len(processor(images=[WIDE], text=processor.image_token, **limit)["pixel_values"])

    assert tiles() == 10 + 1
    assert tiles(**picture_limit(processor).arguments(Prompt((), (), 6))) == 6 + 1


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "qwen3_5"])
def test_who_counts_pixels_keeps_to_the_most(name: str) -> None:
    _, processor = family(name)

    def tokens(**limit: int) -> int:
        return len(processor(images=[WIDE], text=processor.image_token, **limit)["input_ids"][0])

    assert picture_limit(processor).arguments(Prompt((), (), 6)) == {}
    limited = picture_limit(processor).arguments(Prompt((), (), 6, max_pixels=5000))
    assert tokens(**limited) < tokens()


def test_who_does_neither_is_told_nothing() -> None:
    assert picture_limit(AutoProcessor.from_pretrained(POLICY)).of is None
    assert picture_limit(family("gemma3")[1]).of is None
    # Its patches are no tiles.
    assert picture_limit(SimpleNamespace(image_processor=Pix2StructImageProcessor())).of is None
    assert picture_limit(SimpleNamespace()).of is None


@pytest.mark.parametrize("limit", [PictureLimit("tiles"), PictureLimit(None)])
def test_a_limit_that_nobody_reads_is_refused(limit: PictureLimit) -> None:
    with pytest.raises(RowError, match="max_pixels_unread"):
        limit.arguments(Prompt((), (), 6, max_pixels=5000))
