"""Messages: each image has its tag, and no other text is taken for a picture, film, sound or box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RowError
from stages.exchange.messages import write

TAGS = ("<image>", "<video>", "<audio>", "<bbox>", "<ref-object>", "<cot-process>")
TEXT = st.lists(st.sampled_from([*TAGS, "<", "image>", "<image", "a", "\n"]), max_size=6).map("".join)


def texts(prompt: str, steps: list[str], images: int) -> list[str]:
    record = write(prompt, [(step, "+") for step in steps], [f"{n}.png" for n in range(images)], "Judge <video>.")
    return [message["content"] for message in record["messages"]]


def test_tags_that_stand_for_no_picture_stay_text() -> None:
    assert texts("A <image> and <video>?", ["See <image>.", "<audio> <b>"], 1) == [
        "Judge < video>.",
        "### Question:\nA <image> and < video>?\n\n### Solution Process:\nSee < image>.",
        "+",
        "< audio> <b>",
        "+",
    ]


def test_images_come_first_where_the_prompt_has_no_place_for_each() -> None:
    assert texts("Why?", ["a"], 2)[1].startswith("### Question:\n<image>\n<image>\nWhy?")
    assert texts("A <image>?", ["a"], 2)[1].startswith("### Question:\n<image>\n<image>\nA < image>?")
    with pytest.raises(RowError, match=r"missing_image.*has 2 <image> and the row 1 images"):
        texts("<image> <image>", ["a"], 1)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=3), st.integers(0, 3))
def test_readers_find_as_many_tags_as_images(prompt: str, steps: list[str], images: int) -> None:
    if prompt.count("<image>") > images:
        with pytest.raises(RowError):
            texts(prompt, steps, images)
        return
    whole = "".join(texts(prompt, steps, images))
    assert [whole.count(tag) for tag in TAGS] == [images, 0, 0, 0, 0, 0]
