"""Samples become a padded batch: images through the model's own processor, their tokens in place of placeholders."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stages.render import Rendering, expand, image_token_id
from stages.samples import UNMEASURED, Sample

TARGET_KEYS = ("slots", "labels", "mass", "weights", "rows")
"""What a batch holds beside the model's own input."""


@dataclass(frozen=True)
class Collator:
    """Makes the batch that `PrmTrainer` trains on.

    | key | shape | |
    |---|---|---|
    | `input_ids`, `attention_mask`, … | [B, T] | padded on the right |
    | `pixel_values`, … | as the model's processor makes them | of all images in order |
    | `slots` | [B, S] | the position of each label; 0 where there is none |
    | `labels` | [B, S] | hard labels; `UNMEASURED` where there is none |
    | `mass`, `weights` | [B, S, C], [B, S] | targets and weights; 0 where there is none |
    | `rows` | list of B | ids, to name a sample that goes wrong |
    """

    processor: Any
    class_weights: Sequence[float]
    scale: float = 1.0

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Any]:
        renderings = [Rendering(tuple(s.token_ids), tuple(s.slots), len(s.images)) for s in samples]
        batch, renderings = model_inputs(self.processor, renderings, [s.images for s in samples])
        steps = max(len(s.slots) for s in samples)
        size = len(self.class_weights)
        weights = [
            [self.scale * w * self.class_weights[max(label, 0)] for w, label in zip(s.weights, s.labels, strict=True)]
            for s in samples
        ]
        return {
            **batch,
            "slots": torch.tensor([_padded(r.slots, steps, 0) for r in renderings]),
            "labels": torch.tensor([_padded(s.labels, steps, UNMEASURED) for s in samples]),
            "mass": torch.tensor([_padded(s.mass, steps, [0.0] * size) for s in samples]),
            "weights": torch.tensor([_padded(row, steps, 0.0) for row in weights]),
            "rows": [s.id for s in samples],
        }


def model_inputs(
    processor: Any, renderings: Sequence[Rendering], images: Sequence[Sequence[bytes]]
) -> tuple[dict[str, Tensor], list[Rendering]]:
    """A batch of a model's input, and the renderings with images expanded.

    The processor sees each image with a lone placeholder: what it makes of that is what stands for the image.
    Padding on the right changes nothing before it under a causal mask.
    """
    flat = [data for row in images for data in row]
    spans, batch = _image_inputs(processor, flat)
    image_id = image_token_id(processor)
    remaining = iter(spans)
    expanded = [expand(each, image_id, [next(remaining) for _ in range(each.num_images)]) for each in renderings]
    length = max(len(each.token_ids) for each in expanded)
    pad = processor.tokenizer.pad_token_id or 0
    # The ids come first: `transformers` reads the size of a batch from its first tensor.
    batch = {
        "input_ids": torch.tensor([_padded(each.token_ids, length, pad) for each in expanded]),
        "attention_mask": torch.tensor([_padded([1] * len(each.token_ids), length, 0) for each in expanded]),
        **batch,
    }
    if flat and "mm_token_type_ids" in processor.model_input_names:
        kinds = processor.create_mm_token_type_ids([list(each.token_ids) for each in expanded])
        batch["mm_token_type_ids"] = torch.tensor([_padded(row, length, 0) for row in kinds])
    return batch, expanded


def _image_inputs(processor: Any, images: Sequence[bytes]) -> tuple[list[list[int]], dict[str, Tensor]]:
    """The token ids that stand for each image, and the images as tensors, joined as the model wants them."""
    if not images:
        return [], {}
    from PIL import Image

    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in images]
    text = [processor.image_token] * len(pictures)
    made: Mapping[str, Tensor] = processor(
        images=[[picture] for picture in pictures], text=text, padding=True, return_tensors="pt"
    )
    kept = zip(made["input_ids"], made["attention_mask"].bool(), strict=True)
    spans = [ids[mask].tolist() for ids, mask in kept]
    text_keys = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
    return spans, {key: value for key, value in made.items() if key not in text_keys}


def _padded(values: Sequence[Any], length: int, padding: Any) -> list[Any]:
    return [*values, *[padding] * (length - len(values))]
