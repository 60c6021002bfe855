"""Pictures for a page: served only after a look at what they are, and drawn small for lists."""

from __future__ import annotations

import io
import warnings

import PIL.Image
import PIL.ImageOps

from stages.load.sources.images import FORMATS, MAX_PIXELS

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
"""What a browser is given as it is stored."""
THUMBNAIL = 320
"""The longer side of a small picture, for screens of two dots a pixel."""
_MOST_BYTES = 64 << 20
_PLACEHOLDER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="120" viewBox="0 0 160 120">'
    '<rect width="160" height="120" fill="#eceae4"/><path d="M20 100 60 50l25 30 20-20 35 40z" fill="#c9c5ba"/>'
    '<text x="80" y="28" font-family="sans-serif" font-size="11" text-anchor="middle" fill="#5c5a53">{}</text></svg>'
)


def whole(data: bytes) -> tuple[bytes, str]:
    """The bytes and media type to serve a picture with: as stored, or as PNG, or a drawing that says that it is broken."""
    try:
        with _open(data) as image:
            if image.format in TYPES:
                image.verify()
                return data, TYPES[image.format]
        with _open(data) as image:
            return _encoded(image.convert("RGB"), "PNG"), "image/png"
    except _Unusable as error:
        return placeholder(str(error)), "image/svg+xml"
    except Exception:  # a broken file makes the parsers raise nearly anything
        return placeholder("picture can't be read"), "image/svg+xml"


def small(data: bytes, side: int = THUMBNAIL) -> tuple[bytes, str]:
    """A picture drawn anew with its longer side at most this long."""
    try:
        with _open(data) as image:
            image.draft("RGB", (side, side))
            upright = PIL.ImageOps.exif_transpose(image)
            upright.thumbnail((side, side))
            flat = PIL.Image.new("RGB", upright.size, "white")
            layer = upright.convert("RGBA")
            flat.paste(layer, mask=layer)
            return _encoded(flat, "WEBP"), "image/webp"
    except _Unusable as error:
        return placeholder(str(error)), "image/svg+xml"
    except Exception:  # as above
        return placeholder("picture can't be read"), "image/svg+xml"


def placeholder(text: str) -> bytes:
    """A drawing of our own with a few plain words."""
    return _PLACEHOLDER.format(
        "".join(letter for letter in text if letter.isalnum() or letter in " ,'.×")[:40]
    ).encode()


class _Unusable(Exception):
    pass


def _open(data: bytes) -> PIL.Image.Image:
    if len(data) > _MOST_BYTES:
        raise _Unusable("picture is too large")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise _Unusable(f"picture of {image.width}×{image.height} dots")
    return image


def _encoded(image: PIL.Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=85) if kind == "WEBP" else image.save(buffer, kind)
    return buffer.getvalue()
