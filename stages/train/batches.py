"""Prepared samples become a padded batch: the model's input, as the scorer makes it, and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from stages.reward.collate import collate, prepare
from stages.reward.render import Rendering, expand, image_token_id
from stages.train.samples import UNMEASURED, Sample

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
        pictures = [prepare(self.processor, s.images) for s in samples]
        image_id = image_token_id(self.processor)
        renderings = [
            expand(Rendering(tuple(s.token_ids), tuple(s.slots), len(s.images)), image_id, shown.spans)
            for s, shown in zip(samples, pictures, strict=True)
        ]
        steps = max(len(s.slots) for s in samples)
        size = len(self.class_weights)
        weights = [
            [self.scale * w * self.class_weights[max(label, 0)] for w, label in zip(s.weights, s.labels, strict=True)]
            for s in samples
        ]
        return {
            **collate(self.processor, [r.token_ids for r in renderings], pictures),
            "slots": torch.tensor([_padded(r.slots, steps, 0) for r in renderings]),
            "labels": torch.tensor([_padded(s.labels, steps, UNMEASURED) for s in samples]),
            "mass": torch.tensor([_padded(s.mass, steps, [0.0] * size) for s in samples]),
            "weights": torch.tensor([_padded(row, steps, 0.0) for row in weights]),
            "rows": [s.id for s in samples],
        }


def _padded(values: Sequence[Any], length: int, padding: Any) -> list[Any]:
    return [*values, *[padding] * (length - len(values))]
