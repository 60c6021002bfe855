"""Tensors for a model, against what its own processor makes of text and images."""

from __future__ import annotations

import io
import random

import PIL.Image
import pytest
import torch

from stages.reward.collate import collate, prepare
from stages.reward.render import Layout, expand, image_token_id, render
from tests.families import FAMILIES, family


def noise(width: int, height: int, seed: int) -> bytes:
    pixels = random.Random(seed).randbytes(3 * width * height)
    encoded = io.BytesIO()
    PIL.Image.frombytes("RGB", (width, height), pixels).save(encoded, "PNG")
    return encoded.getvalue()


IMAGES = [noise(100, 60, 0), noise(40, 90, 1)]


@pytest.mark.parametrize("name", FAMILIES)
def test_tensors_are_those_that_the_processor_makes(name: str) -> None:
    _, processor = family(name)
    rendering = render(processor, "<image> and <image>?", 2, ["a +", "b\n\nb"], Layout(system="Judge."))
    pictures = prepare(processor, IMAGES)
    expanded = expand(rendering, image_token_id(processor), pictures.spans)
    made = collate(processor, [expanded.token_ids], [pictures])
    text = processor.tokenizer.decode(rendering.token_ids)
    images = [PIL.Image.open(io.BytesIO(data)) for data in IMAGES]
    expected = processor(images=images, text=text, return_tensors="pt")
    assert sorted(made) == sorted(expected)
    assert all(torch.equal(made[key], expected[key]) for key in expected)
    assert [expanded.token_ids[slot] for slot in expanded.slots] == [rendering.token_ids[rendering.slots[0]]] * 2


def test_a_batch_is_padded_on_the_right_and_joins_the_images() -> None:
    _, processor = family("qwen2_5_vl")
    pictures = [prepare(processor, IMAGES), prepare(processor, []), prepare(processor, IMAGES[:1])]
    batch = collate(processor, [[5, 6, 7], [5], [5, 6]], pictures)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0], [5, 6, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert len(batch["image_grid_thw"]) == 3
    assert batch["image_grid_thw"][0].tolist() == batch["image_grid_thw"][2].tolist()
