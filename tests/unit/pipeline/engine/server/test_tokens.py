"""What is believed of a reply, on replies as vLLM sends them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from pipeline.config import SamplingConfig
from pipeline.engine.drawn import Drawn
from pipeline.engine.server.pictures import data_url
from pipeline.engine.server.replies import Fault, Refused, read_reply
from pipeline.engine.server.tokens import Ask, most_draws, read, unknown_picture


def choice(index: int, **more: Any) -> dict[str, Any]:
    return {"index": index, "token_ids": [7, index], "text": f"t{index}", "finish_reason": "stop", **more}


def reply(**more: Any) -> dict[str, Any]:
    return {
        "choices": [choice(1), choice(0)],
        "prompt_token_ids": [1, 2, 3, 3, 3],
        "mm_placeholders": {"image": [{"offset": 2, "length": 3}]},
        "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}},
        **more,
    }


def test_draws_come_in_the_order_of_seeds() -> None:
    found = read(reply(), 2, 1)
    assert found.drawn == (Drawn((7, 0), "t0", "stop"), Drawn((7, 1), "t1", "stop"))
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (5, 2, 4)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"mm_placeholders": None}, "a reply that saw 0 of 1 pictures"),
        ({"mm_placeholders": {"image": [{}, {}]}}, "a reply that saw 2 of 1 pictures"),
        ({"choices": [choice(0)]}, "a reply of 1 draws, asked for 2"),
        ({"choices": [choice(0), choice(0)]}, "a reply whose draws are not numbered from 0 on"),
        ({"choices": [choice(0), choice(1, finish_reason="abort")]}, "a draw that ended with 'abort'"),
        ({"choices": [choice(0), choice(1, token_ids=None)]}, "a reply of another form"),
        ({"choices": [choice(0), choice(1, text=None)]}, "a reply of another form"),
        ({"choices": [choice(0), {"index": 1}]}, "a reply of another form"),
        ({"choices": {}}, "a reply of 0 draws, asked for 2"),
        ({"prompt_token_ids": None}, "a reply of another form"),
    ],
)
def test_what_is_no_reply_to_the_request_is_no_draw(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(Fault, match=why):
        read(reply(**changed), 2, 1)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (429, '{"error": {"message": "slow\\ndown"}}', "busy", "429 slow down"),
        (503, "", "busy", "503"),
        (500, "<html>oh</html>", "failed", "500 <html>oh</html>"),
        (401, '{"error": "Unauthorized"}', "barred", "401 Unauthorized"),
        (404, '{"detail": "Not Found"}', "barred", "404 Not Found"),
        (402, '{"error": {"message": "balance spent"}}', "closed", "402 balance spent"),
        (451, "", "closed", "451"),
        (200, '{"choices": [', "failed", "a reply that is no whole JSON (13 bytes)"),
        (200, "[]", "wrong", "a reply that is no JSON object, but list"),
    ],
)
def test_the_fault_of_a_status(status: int, body: str, kind: str, text: str) -> None:
    with pytest.raises(Fault) as caught:
        read_reply(status, {"retry-after": "7"}, body.encode())
    assert (caught.value.kind, caught.value.reason) == (kind, text)
    assert caught.value.after_s == (7.0 if kind == "busy" else 0.0)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_is_of_the_request(status: int) -> None:
    with pytest.raises(Refused, match="too long") as caught:
        read_reply(status, {}, b'{"error": {"message": "too long"}}')
    assert caught.value.status == status
    assert unknown_picture(Refused(400, "Cache miss for image at index 0 but data is not provided."))
    assert (
        most_draws(Refused(400, "sampling_params.n must be at most the server's max_num_seqs (256), got 300.")) == 256
    )
    assert most_draws(caught.value) is None


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**48))
def test_parts_of_a_request_have_its_seeds(n: int, most: int, seed: int) -> None:
    parts = Ask((1,), SamplingConfig(), n, seed, 8).split(most)
    assert [part.seed + j for part in parts for j in range(part.n)] == list(range(seed, seed + n))
    assert all(part.n <= most for part in parts)


def test_what_is_asked_for_beside_draws() -> None:
    ask = Ask((1, 2), SamplingConfig(top_k=5), 1, 9, 8, stop="\n", schema={"type": "object"}, ahead=True)
    body = ask.body([], priorities=True)
    assert "priority" not in body
    assert "content_parts" not in body
    assert body["sampling_params"] == {
        "n": 1, "seed": 9, "temperature": 1.0, "top_p": 1.0, "top_k": 5, "max_tokens": 8, "stop": ["\n"],
        "include_stop_str_in_output": True, "structured_outputs": {"json": {"type": "object"}},
    }  # fmt: skip
    json.dumps(body)


def _file(image: PillowImage.Image, form: str, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


TURNED = PillowImage.Exif()
TURNED[0x0112] = 6
STRIPES = PillowImage.linear_gradient("L").resize((8, 5))


@pytest.mark.parametrize(
    ("data", "as_it_is"),
    [
        (_file(STRIPES.convert("RGB"), "PNG"), True),
        (_file(STRIPES.convert("RGB"), "JPEG"), True),
        (_file(STRIPES.convert("RGB"), "BMP"), False),
        (_file(STRIPES, "PNG"), False),
        (_file(STRIPES.convert("P"), "GIF"), False),
        (_file(STRIPES.convert("RGBA"), "PNG"), False),
        (_file(STRIPES.convert("RGB"), "PNG", transparency=(0, 0, 0)), False),
        (_file(STRIPES.convert("RGB"), "JPEG", exif=TURNED), False),
    ],
)
def test_a_server_decodes_the_pixels_that_an_engine_here_is_shown(data: bytes, as_it_is: bool) -> None:
    head, _, tail = data_url(data).partition(";base64,")
    sent = base64.b64decode(tail)
    assert head.startswith("data:image/")
    assert (sent == data) is as_it_is
    with PillowImage.open(io.BytesIO(data)) as ours, PillowImage.open(io.BytesIO(sent)) as theirs:
        assert theirs.mode == "RGB"
        assert theirs.getexif().get(0x0112, 1) == 1
        assert "transparency" not in theirs.info
        assert theirs.tobytes() == ours.convert("RGB").tobytes()
