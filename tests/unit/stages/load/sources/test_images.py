"""Every kind of image file: kept as it is, normalised, or refused with its reason."""

import base64
import io
import struct
import subprocess
import sys
import zlib
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RowError
from stages.load.sources import images
from stages.load.sources.images import normalise, read_images
from tests.places import ROOT

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def encode(image: PIL.Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def decode(data: bytes) -> PIL.Image.Image:
    image = PIL.Image.open(io.BytesIO(data))
    image.load()
    return image


def noise(*shape: int, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> PIL.Image.Image:
    high = np.iinfo(dtype).max
    return PIL.Image.fromarray(np.random.default_rng(0).integers(0, high, shape, dtype=dtype))


def png_of_size(width: int, height: int) -> bytes:
    """A small file that claims to be large, and whose data is that large once unpacked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def reason(data: bytes) -> str:
    with pytest.raises(RowError) as caught:
        normalise(data)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 7), (1, 1, 3)], ids=["rgb", "grey", "1x1"])
def test_a_plain_image_keeps_its_bytes(format: str, shape: tuple[int, ...]) -> None:
    data = encode(noise(*shape), format)
    if decode(data).mode in ("RGB", "L"):
        assert normalise(data) is data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(noise(8, 8, 4), "PNG"), id="rgba"),
        pytest.param(encode(noise(8, 8, 2), "PNG"), id="grey and alpha"),
        pytest.param(encode(noise(8, 8, 3).convert("CMYK"), "JPEG"), id="cmyk"),
        pytest.param(encode(noise(8, 8, 3).convert("P"), "PNG"), id="palette"),
        pytest.param(encode(noise(8, 8, 3).convert("P"), "PNG", transparency=3), id="transparent palette"),
        pytest.param(encode(noise(8, 8, 3), "PNG", transparency=(1, 2, 3)), id="transparent colour"),
        pytest.param(encode(noise(8, 8).convert("1"), "PNG"), id="black and white"),
        pytest.param(encode(noise(8, 8, dtype=np.uint16), "PNG"), id="16 bits"),
        pytest.param(encode(noise(8, 8, dtype=np.uint16), "TIFF"), id="16 bits, tiff"),
        pytest.param(encode(noise(8, 8, 3), "BMP"), id="bmp"),
        pytest.param(encode(noise(8, 8, 3), "GIF"), id="gif"),
    ],
)
def test_anything_else_becomes_an_rgb_png(data: bytes) -> None:
    changed = normalise(data)
    image = decode(changed)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (8, 8))
    assert normalise(data) == changed
    assert normalise(changed) is changed


def test_transparent_pixels_become_white() -> None:
    image = PIL.Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    shown = decode(normalise(encode(image)))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [RED, WHITE]


def test_16_bits_are_scaled_not_clipped() -> None:
    values = np.array([[0, 256 * 10, 256 * 128, 65535]], dtype=np.uint16)
    shown = decode(normalise(encode(PIL.Image.fromarray(values))))
    assert np.asarray(shown)[0, :, 0].tolist() == [0, 10, 128, 255]


def test_16_bit_colour_is_noticed_although_pillow_calls_it_rgb() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header, row = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), zlib.compress(b"\0\x12\x34\x56\x78\x9a\xbc")
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
    assert normalise(data) is not data
    assert decode(normalise(data)).getpixel((0, 0)) == (0x12, 0x56, 0x9A)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation(format: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    shown = decode(normalise(data))
    assert getattr(shown, "n_frames", 1) == 1
    assert shown.getpixel((4, 4)) == pytest.approx(RED, abs=3)


def test_a_turned_photo_is_upright() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image = PIL.Image.new("RGB", (64, 32), RED)
    image.paste(GREEN, (0, 0, 32, 32))
    shown = decode(normalise(encode(image, "JPEG", exif=exif, quality=95)))
    assert shown.size == (32, 64)
    assert shown.getpixel((16, 8)) == pytest.approx(GREEN, abs=8)
    assert not shown.getexif()


def test_exif_that_turns_nothing_changes_nothing() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 1
    data = encode(noise(8, 8, 3), "JPEG", exif=exif)
    assert normalise(data) is data


def test_metadata_does_not_survive_a_change() -> None:
    data = encode(noise(8, 8, 4), icc_profile=b"not the profile of an RGB image", dpi=(300, 300))
    assert not decode(normalise(data)).info


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_a_truncated_file(format: str) -> None:
    data = encode(noise(64, 64, 3), format)
    assert reason(data[: len(data) // 2]) == "truncated_image"


def test_a_truncated_webp_has_no_reason_of_its_own() -> None:
    data = encode(noise(64, 64, 3), "WEBP")
    assert reason(data[: len(data) // 2]) == "bad_image"


def test_a_png_with_a_flipped_bit() -> None:
    data = bytearray(encode(noise(64, 64, 3)))
    data[len(data) // 2] ^= 1
    assert reason(bytes(data)) == "bad_image"


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0", b"GIF89a"])
def test_no_image_at_all(data: bytes) -> None:
    assert reason(data) == "bad_image"


def test_values_without_a_known_white() -> None:
    assert reason(encode(PIL.Image.new("F", (4, 4), 0.5), "TIFF")) == "bad_image"


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (14_000, 14_000)])
def test_a_decompression_bomb(width: int, height: int) -> None:
    assert reason(png_of_size(width, height)) == "image_too_large"


def test_pillow_warns_of_nothing(tmp_path: Path) -> None:
    """In a process of its own, since pytest forgets the filters of warnings that modules set."""
    (tmp_path / "large.png").write_bytes(png_of_size(10_000, 10_000))
    program = (
        "import sys; from pathlib import Path; from stages.load.sources.images import normalise\n"
        "try: normalise(Path(sys.argv[1]).read_bytes())\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "large.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pixels" in done.stdout
    assert done.stderr == ""


def test_shapes_that_image_processors_refuse() -> None:
    assert reason(encode(PIL.Image.new("RGB", (10_000, 10)))) == "extreme_aspect_ratio"
    assert reason(encode(PIL.Image.new("RGB", (10, 10_000)))) == "extreme_aspect_ratio"
    strip = encode(PIL.Image.new("RGB", (2_000, 10)))
    assert normalise(strip) is strip


FLIP = st.tuples(st.integers(0, 399), st.integers(1, 255))


@settings(deadline=None)
@given(cut=st.integers(0, 400), flips=st.lists(FLIP, max_size=4))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_damage_gives_bytes_or_a_reason_and_nothing_else(format: str, cut: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(encode(noise(8, 8, 3), format))
    for place, change in flips:
        data[place % len(data)] ^= change
    with suppress(RowError):
        assert decode(normalise(bytes(data[: max(len(data) - cut, 0)])))


PLAIN = encode(noise(5, 5, 3))
TEXT = base64.b64encode(PLAIN).decode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(PLAIN, id="bytes"),
        pytest.param(memoryview(PLAIN), id="memoryview"),
        pytest.param(TEXT, id="base64"),
        pytest.param("\n".join(TEXT[k : k + 76] for k in range(0, len(TEXT), 76)), id="base64 in lines"),
        pytest.param(f"data:image/png;base64,{TEXT}", id="data URI"),
        pytest.param({"bytes": PLAIN, "path": None}, id="Hugging Face"),
        pytest.param({"bytes": PLAIN, "path": "https://example.org/a.png"}, id="bytes come before the path"),
    ],
)
def test_image_values(value: Any) -> None:
    assert read_images(value, None) == (PLAIN,)
    assert read_images([value, value], None) == (PLAIN, PLAIN)


def test_base64_of_a_jpeg_is_not_taken_for_a_path() -> None:
    data = encode(noise(8, 8, 3), "JPEG")
    assert read_images(base64.b64encode(data).decode(), None) == (data,)


def test_a_pil_image_is_encoded() -> None:
    (data,) = read_images(PIL.Image.new("RGB", (3, 2), RED), None)
    assert (decode(data).size, decode(data).getpixel((0, 0))) == ((3, 2), RED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "missing_image"),
        ("", "missing_image"),
        ([], "missing_image"),
        ([PLAIN, None], "missing_image"),
        ({"bytes": None, "path": None}, "missing_image"),
        ("a.png", "missing_image"),
        (17, "wrong_type"),
        (True, "wrong_type"),
        ([[PLAIN]], "wrong_type"),
        ("https://example.org/a.png", "url_image"),
        ({"path": "s3://bucket/a.png"}, "url_image"),
        ("data:image/png;base64,no base64!", "bad_image"),
        (f"data:image/png;base64,{TEXT[:-5]}", "bad_image"),
        (PIL.Image.new("RGB", (1000, 1)), "extreme_aspect_ratio"),
    ],
)
def test_values_that_are_no_image(value: Any, expected: Any) -> None:
    with pytest.raises(RowError) as caught:
        read_images(value, None)
    assert caught.value.reason == expected


def test_a_picture_that_rows_share_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def count(data: bytes) -> bytes:
        decoded.append(data)
        return data

    monkeypatch.setattr(images, "_plain", OrderedDict())
    monkeypatch.setattr(images, "_normalised", count)
    monkeypatch.setattr(images, "KNOWN", 2)
    first, second, third = (encode(noise(8, width, 3)) for width in (8, 9, 10))
    assert [normalise(data) for data in (first, second, first, first)] == [first, second, first, first]
    assert decoded == [first, second]
    # Of more pictures than are remembered, the one that came last is known longest.
    assert [normalise(data) for data in (third, first, second)] == [third, first, second]
    assert decoded == [first, second, third, second]


def test_a_broken_picture_is_refused_every_time() -> None:
    data = encode(noise(8, 8, 3))[:-20]
    assert reason(data) == reason(data)


def test_a_picture_that_changes_is_changed_every_time() -> None:
    data = encode(noise(8, 8, 4))
    assert normalise(data) == normalise(data) != data
