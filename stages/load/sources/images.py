"""Image values of a row, as the bytes that the run keeps.

What every reader and every model takes as it is (a PNG, JPEG or WebP of 8-bit RGB or grey, upright, with a
single frame and nothing transparent) keeps its original bytes. Anything else becomes an RGB PNG of what a
person sees: the first frame, upright, on white. An image that can't be decoded to its end is refused.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps

from pipeline.errors import RowError
from pipeline.records import Image
from stages.load.sources.roots import ImageRoot

# Pillow's own bound against decompression bombs, which it only warns of.
MAX_PIXELS = 89_478_485
# Longer strips make the image processors of some models (Qwen-VL's) raise in the middle of a run.
MAX_ASPECT_RATIO = 200
# Formats that Pillow decodes by itself: EPS, for one, would be run through Ghostscript.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

KNOWN = 1 << 16
"""Pictures that are remembered, by a hash of 32 bytes, as such that stay as they are; the latest ones."""
_plain: OrderedDict[bytes, None] = OrderedDict()
_writing = threading.Lock()
_deciding = [threading.Lock() for _ in range(256)]

# They say nothing that the checks here don't. Once and for all: threads must not change filters for a while each.
warnings.filterwarnings("ignore", module=r"PIL\b")

_EXIF_ORIENTATION = 0x0112
_TURNED = range(2, 9)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH = 24  # its offset in the file
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[^,]{0,100};base64,", re.IGNORECASE)
# How base64 of PNG, JPEG, WebP, GIF, BMP and TIFF begins. The path of an image has a dot, base64 never.
_BASE64 = re.compile(r"(iVBORw0KGgo|/9j/|UklGR|R0lGOD|Qk|SUkq|TU0A)[^.]{40,}$")


def read_images(value: Any, root: ImageRoot | None) -> tuple[bytes, ...]:
    """The normalised bytes of a row's image value, which is one image or a list of them.

    An image is a path below `root`, bytes, base64 text, a data URI, a PIL image, or an object with `bytes` or
    `path` as Hugging Face datasets have it.

    Raises:
        RowError: with the reason why one of the images can't be used.
    """
    return tuple(image.data for image in read_hashed(value, root))


def read_hashed(value: Any, root: ImageRoot | None) -> tuple[Image, ...]:
    """As `read_images`, with the hashes, which are known by then."""
    images = value if isinstance(value, (list, tuple)) else (value,)
    if not images:
        raise RowError("missing_image", "the list of images is empty")
    return tuple(_read_image(image, root) for image in images)


def is_image(value: Any) -> bool:
    """Whether a value is an image by its type or its first characters; the name of a file is not."""
    if isinstance(value, str):
        return bool(_DATA_URI.match(value) or _BASE64.match(value))
    return isinstance(value, (bytes, bytearray, memoryview, PIL.Image.Image))


def image_sizes(value: Any, root: ImageRoot | None) -> list[tuple[int, int, int]]:
    """(width, height, bytes) of a row's images as they are stored, from their headers alone.

    Raises:
        RowError: as `read_images`, as far as a header shows it.
    """
    sizes = []
    for item in value if isinstance(value, (list, tuple)) else (value,):
        found = _find(item, root)
        if isinstance(found, PIL.Image.Image):
            sizes.append((*found.size, len(_png(found))))
            continue
        with _pillow_errors(), _open(found) as image:
            sizes.append((*image.size, len(found)))
    return sizes


def normalise(data: bytes) -> bytes:
    """The same bytes if every reader and model takes them, else an RGB PNG of what a person sees."""
    return _hashed(data).data


def _hashed(data: bytes) -> Image:
    """What `normalise` gives. Many rows share a picture: one that stays as it is is decoded once."""
    given = Image.of(data)
    digest = bytes.fromhex(given.sha256)
    # Rows that share a picture lie side by side, and are read at the same time: one of them decodes it.
    with _deciding[digest[0] % len(_deciding)]:
        if _is_known(digest):
            return given
        found = _normalised(data)
        if found is not data:
            return Image.of(found)
        _remember(digest)
        return given


def _is_known(digest: bytes) -> bool:
    with _writing:
        known = digest in _plain
        if known:
            _plain.move_to_end(digest)
        return known


def _remember(digest: bytes) -> None:
    with _writing:
        _plain[digest] = None
        if len(_plain) > KNOWN:
            _plain.popitem(last=False)


def _normalised(data: bytes) -> bytes:
    with _pillow_errors():
        if data.startswith(_PNG):
            # Checksums, which other formats have not; Pillow wants the image opened anew afterwards.
            with _open(data) as image:
                image.verify()
        with _open(data) as image:
            image.load()
            return data if _is_plain(image, data) else _png(image)


def _read_image(value: Any, root: ImageRoot | None) -> Image:
    found = _find(value, root)
    if isinstance(found, PIL.Image.Image):
        with _pillow_errors():
            _check_size(found)
            return Image.of(_png(found))
    return _hashed(found)


def _find(value: Any, root: ImageRoot | None) -> bytes | PIL.Image.Image:
    """The encoded image that a value holds or names, or the image itself if it is decoded."""
    if isinstance(value, Mapping):
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if value is None or value == "":
        raise RowError("missing_image", "the row names no image")
    if isinstance(value, PIL.Image.Image):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if not isinstance(value, str):
        mend = "; if its file has that number for a name, set `image: '{…:012d}.jpg'`" if isinstance(value, int) else ""
        raise RowError("wrong_type", f"an image is {type(value).__name__}, not a path, bytes or base64 text{mend}")
    if uri := _DATA_URI.match(value):
        return _decode_base64(value[uri.end() :])
    if _BASE64.match(value):
        return _decode_base64(value)
    if _URL.match(value):
        raise RowError("url_image", f"{value!r}: nothing is fetched; store the image in a file")
    if root is None:
        raise RowError("missing_image", f"{value!r} is a path, but the source has no `images` folder")
    return root.read(value)


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RowError("bad_image", f"not base64: {error}") from error


def _open(data: bytes) -> PIL.Image.Image:
    image = PIL.Image.open(io.BytesIO(data), formats=FORMATS)
    _check_size(image)
    return image


def _check_size(image: PIL.Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise RowError("image_too_large", f"{width}×{height} is more than {MAX_PIXELS} pixels")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise RowError("extreme_aspect_ratio", f"{width}×{height} is beyond {MAX_ASPECT_RATIO}:1")


def _is_plain(image: PIL.Image.Image, data: bytes) -> bool:
    return (
        image.format in ("PNG", "JPEG", "WEBP")
        and image.mode in ("RGB", "L")
        and getattr(image, "n_frames", 1) == 1
        and not image.has_transparency_data
        and image.getexif().get(_EXIF_ORIENTATION) not in _TURNED
        and not (image.format == "PNG" and data[_PNG_BIT_DEPTH] == 16)
    )


def _png(image: PIL.Image.Image) -> bytes:
    # Copies are saved where they can be: a picture of 64 megapixels takes 256 MB each time.
    turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    upright = PIL.ImageOps.exif_transpose(image) if turned else image
    if upright.mode.startswith("I;16"):
        # Pillow's own conversion clips everything above 255 to white.
        upright = PIL.Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    if upright.mode in ("I", "F"):
        raise RowError("bad_image", f"mode {upright.mode}: the value of white is unknown; use 8 or 16 bits")
    if upright.has_transparency_data:
        canvas = PIL.Image.new("RGB", upright.size, "white")
        layer = upright if upright.mode == "RGBA" else upright.convert("RGBA")
        canvas.paste(layer, mask=layer)
    else:
        canvas = upright.convert("RGB")
    # None of the file's metadata, such as a colour profile for CMYK.
    canvas.info = {}
    encoded = io.BytesIO()
    canvas.save(encoded, "PNG")
    return encoded.getvalue()


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Turns whatever Pillow raises into a RowError."""
    try:
        yield
    except RowError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise RowError("image_too_large", str(error)) from error
    except PIL.UnidentifiedImageError as error:
        raise RowError("bad_image", f"none of {', '.join(FORMATS)}") from error
    except Exception as error:  # a broken file makes the parsers raise nearly anything
        reason = "truncated_image" if "truncated" in str(error).lower() else "bad_image"
        raise RowError(reason, f"{type(error).__name__}: {error}") from error
