"""Images and ids to the tensors of a forward pass, the same for training and for scoring.

What is particular to a model comes from its own processor: how many tokens an image takes, what the vision tower is
given, which tokens are an image's. Tested with InternVL, Qwen2.5-VL and Qwen3-VL.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import PIL.Image


@dataclass(frozen=True, slots=True)
class Pictures:
    """A sample's images as a model takes them.

    `spans[i]` are the ids that stand for image i in the sequence. `features` are the vision tower's arguments
    (`pixel_values`, and `image_grid_thw` where the model wants it), which concatenate along their first axis.
    """

    spans: tuple[tuple[int, ...], ...]
    features: Mapping[str, Any]


def prepare(processor: Any, images: Sequence[bytes]) -> Pictures:
    """Decodes and processes encoded images. Raises what Pillow raises for bytes that are no image."""
    if not images:
        return Pictures((), {})
    opened = []
    for data in images:
        with PIL.Image.open(io.BytesIO(data)) as image:
            opened.append(image.convert("RGB"))
    # One text of a single placeholder for each image: what comes back as its ids is the image's span.
    made = processor(
        images=opened,
        text=[processor.image_token] * len(opened),
        text_kwargs={"add_special_tokens": False, "padding": False, "return_mm_token_type_ids": False},
        images_kwargs={"return_tensors": "pt"},
    )
    spans = tuple(tuple(ids) for ids in made.pop("input_ids"))
    return Pictures(spans, {name: value for name, value in made.items() if name != "attention_mask"})


def collate(processor: Any, sequences: Sequence[Sequence[int]], pictures: Sequence[Pictures]) -> dict[str, Any]:
    """The model's arguments for a batch of expanded sequences, padded on the right.

    Returns:
        `input_ids` and `attention_mask` [B, L]; `mm_token_type_ids` [B, L] where the model takes them (1: image);
        the images' features, concatenated in order.
    """
    import torch

    length = max(map(len, sequences))
    pad = processor.tokenizer.pad_token_id or 0

    def padded(rows: Sequence[Sequence[int]], fill: int) -> Any:
        return torch.tensor([[*row, *[fill] * (length - len(row))] for row in rows])

    batch = {
        "input_ids": padded(sequences, pad),
        "attention_mask": padded([[1] * len(row) for row in sequences], 0),
    }
    if "mm_token_type_ids" in processor.model_input_names:
        types = processor.create_mm_token_type_ids([list(row) for row in sequences])
        batch["mm_token_type_ids"] = padded(types, 0)
    for name in {name: None for item in pictures for name in item.features}:
        batch[name] = torch.cat([item.features[name] for item in pictures if name in item.features])
    return batch
