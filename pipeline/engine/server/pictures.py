"""Pictures as servers take them: by their hash, or as data in an address."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import ExifTags
from PIL import Image as PillowImage

from pipeline.records import Image

PLAIN = ("PNG", "JPEG", "WEBP")
"""Formats that every server reads."""


def data_url(data: bytes) -> str:
    """An image file as `data:image/png;base64,…`, of which a server decodes the pixels that an engine here is shown.

    A file goes as it is where there is one way to read it. Of others (a palette, transparency, a turned photograph) servers
    make something else than our `convert("RGB")`: then this is done here.
    """
    with PillowImage.open(io.BytesIO(data)) as image:
        form = image.format or ""
        plain = form in PLAIN and image.mode == "RGB" and "transparency" not in image.info
        if not plain or image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            out, pixels = io.BytesIO(), image.convert("RGB")
            # Else an orientation or a transparent colour would be saved again.
            pixels.info = {}
            pixels.save(out, "PNG")
            data, form = out.getvalue(), "PNG"
    return f"data:image/{form.lower()};base64,{base64.b64encode(data).decode()}"


def chat_part(image: Image) -> dict[str, Any]:
    """An image as a part of a message of chat completions."""
    return {"type": "image_url", "image_url": {"url": data_url(image.data)}}


def part(image: Image, whole: bool) -> dict[str, Any]:
    """An image as a part of a request to vLLM: by its hash alone, or with its data."""
    return {"type": "image_url", "uuid": image.sha256, **({"url": data_url(image.data)} if whole else {})}
