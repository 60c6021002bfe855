"""The two parts of a response, and the steps of one of them with the other as context."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import SplitConfig
from stages.split import boundaries, context_in, opens, places, steps_of, told
from stages.split.kinds import KINDS

BITS = st.sampled_from(
    ["<think>", "</think>", "◁think▷", "◁/think▷", "a. B", "\n\n", "\n", " ", "Step 1: c", "d.", "七。"]
)
TEXTS = st.lists(BITS, max_size=12).map("".join)
HOW = st.builds(
    SplitConfig,
    kind=st.sampled_from(sorted(KINDS)),
    part=st.sampled_from(["thinking", "answer"]),
    opened=st.booleans(),
    max_steps=st.integers(1, 6),
)


@settings(max_examples=300)
@given(TEXTS, HOW)
def test_no_part_loses_a_character(text: str, how: SplitConfig) -> None:
    check(text, how)


@pytest.mark.more
@settings(max_examples=10_000, deadline=None)
@given(TEXTS, HOW)
def test_no_part_loses_a_character_of_many_texts(text: str, how: SplitConfig) -> None:
    check(text, how)


def check(text: str, how: SplitConfig) -> None:
    pieces = steps_of(text, how)
    found = places(text, [piece.text for piece in pieces])
    assert (found[0].start, found[-1].end) == (0, len(text))
    assert all(not text[before.end : after.start].strip() for before, after in pairwise(found))
    assert all(piece.text.strip() for piece in pieces) or not text.strip()
    assert sum(piece.context for piece in pieces) <= 1
    assert sum(not piece.context for piece in pieces) <= how.max_steps
    assert context_in(text, how, len(pieces)) == {index for index, piece in enumerate(pieces) if piece.context}
    # The context is at the side of the other part.
    at = [index for index, piece in enumerate(pieces) if piece.context]
    assert at in ([], [0], [len(pieces) - 1])
    assert boundaries(text, [piece.text for piece in pieces])[-1] == len(text)


def parted(text: str, part: str, opened: bool = False, **more: object) -> list[tuple[str, bool]]:
    how = SplitConfig.model_validate({"part": part, "opened": opened, **more})
    return [(piece.text, piece.context) for piece in steps_of(text, how)]


WHOLE = "<think>\nOne.\n\nTwo.\n</think>\n\nSo.\n\nFinal answer: 4"


def test_both_tags() -> None:
    assert parted(WHOLE, "answer") == [
        ("<think>\nOne.\n\nTwo.\n</think>", True),
        ("So.", False),
        ("Final answer: 4", False),
    ]
    assert parted(WHOLE, "thinking") == [
        ("<think>\nOne.", False), ("Two.\n</think>", False), ("So.\n\nFinal answer: 4", True),
    ]  # fmt: skip
    assert parted(WHOLE, "all") == [(step, False) for step in WHOLE.split("\n\n")]


@pytest.mark.parametrize("opened", [True, False])
def test_the_closing_tag_alone(opened: bool) -> None:
    """The chat template wrote the opening one; the closing tag tells it, too."""
    text = WHOLE.removeprefix("<think>\n")
    assert parted(text, "answer", opened)[0] == ("One.\n\nTwo.\n</think>", True)
    assert parted(text, "thinking", opened)[:2] == [("One.", False), ("Two.\n</think>", False)]


def test_thinking_that_never_ends() -> None:
    assert parted("<think>\nOne.\n\nTwo", "answer") == [("<think>\nOne.\n\nTwo", True)]
    assert parted("<think>\nOne.\n\nTwo", "thinking") == [("<think>\nOne.", False), ("Two", False)]
    assert parted("One.\n\nTwo", "answer", opened=True) == [("One.\n\nTwo", True)]
    assert parted("One.\n\nTwo", "thinking", opened=True) == [("One.", False), ("Two", False)]


def test_no_thinking() -> None:
    assert parted("One.\n\nTwo", "answer") == [("One.", False), ("Two", False)]
    assert parted("One.\n\nTwo", "thinking") == [("One.\n\nTwo", True)]
    empty = "<think>\n\n</think>\n\nOne.\n\nTwo"
    assert parted(empty, "answer") == [("<think>\n\n</think>", True), ("One.", False), ("Two", False)]
    assert parted(empty, "thinking") == [(empty, True)]


def test_the_number_of_steps_is_that_of_the_part() -> None:
    assert len(parted("<think>a\n\nb\n\nc</think>\n\nd\n\ne\n\nf\n\ng", "answer", max_steps=2)) == 3
    assert told(SplitConfig(part="answer")) == "the answer alone, split at blank lines, merged evenly to at most 12"


def test_what_the_chat_template_opens() -> None:
    assert opens("<|im_start|>assistant\n<think>\n")
    assert not opens("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not opens("<|im_start|>assistant\n")
