"""How large a picture a model is shown: InternVL cuts it into tiles, Qwen-VL counts pixels, others do neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.engine import Prompt
from pipeline.errors import RowError


@dataclass(frozen=True, slots=True)
class PictureLimit:
    """What a model's image processor limits; `fewest` is the number of pixels to which it enlarges smaller pictures."""

    of: Literal["tiles", "pixels"] | None
    fewest: int = 0

    def arguments(self, prompt: Prompt) -> dict[str, Any]:
        """The image processor's arguments for a prompt.

        Raises:
            RowError: the source sets `max_pixels`, and the model doesn't count them.
        """
        if prompt.max_pixels is not None and self.of != "pixels":
            instead = (
                "it cuts tiles: set max_tiles instead" if self.of else "all pictures have one size there: remove it"
            )
            raise RowError("max_pixels_unread", f"the source's max_pixels means nothing to this model; {instead}")
        if self.of == "tiles":
            return {"max_patches": prompt.max_tiles}
        if self.of is None or prompt.max_pixels is None:
            return {}
        return {"size": {"shortest_edge": min(self.fewest, prompt.max_pixels), "longest_edge": prompt.max_pixels}}


def picture_limit(processor: Any) -> PictureLimit:
    """By what a model's image processor takes a limit."""
    images = getattr(processor, "image_processor", None)
    # `crop_to_patches` itself says nothing: released InternVL files have it false, and their processor crops all the
    # same. But without such a setting (Pix2Struct, Kimi) patches are no tiles, and some thousands of them an image.
    if hasattr(images, "crop_to_patches"):
        return PictureLimit("tiles" if (getattr(images, "max_patches", None) or 1) > 1 else None)
    size = getattr(images, "size", None)
    # There the names of edges stand for pixels, as the area of a patch is their unit.
    if hasattr(images, "merge_size") and size is not None and "longest_edge" in (edges := dict(size)):
        return PictureLimit("pixels", int(edges.get("shortest_edge") or 0))
    return PictureLimit(None)
