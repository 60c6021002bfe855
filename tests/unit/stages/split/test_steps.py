"""Splitting loses nothing, merges evenly and finds the characters and tokens of every step, whatever the kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import SplitConfig
from pipeline.records import SEPARATOR
from stages.split import boundaries, places, spans, split
from stages.split.kinds import KINDS

TEXTS = st.text(alphabet=st.sampled_from("ab.\n\n\n 七😀"), max_size=60)
PARTS = st.sampled_from(
    [
        "We add 3.14 and 2. Then, e.g. 5.", "Is it so? Yes!", "Step 2: look.", "### 3. Sum", "1. one\n2. two",
        "- a\n- b", "<step>", "</step>", "<step n='2'>", "```python\nx = 1\n\nStep 9: no. Not so.\n```", "```", "~~~",
        "$a. B$", "$$x\n\ny.\n\nz$$", "\\[ 1. \\]", "\\(", "\\begin{cases} a. \n\n B \\end{cases}", "\\begin{x}",
        "$5 and $6. Both", "第三步：相加。得到五！", "步骤2：好。", "他说：“对。”然后", "`a. B`", "\n\n", "\n", " ",
        "\t", "\n \n", "Final answer: 4", "**Step 4**", "...", "。", "\\", "$", "`",
    ]
)  # fmt: skip
REAL = st.lists(PARTS, max_size=12).map("".join)
HOW = st.builds(
    SplitConfig, kind=st.sampled_from(sorted(KINDS)), tokens=st.integers(1, 40), max_steps=st.integers(1, 14)
)


def check(text: str, how: SplitConfig) -> None:
    """Steps stand in the text in order with white space between them, none is blank, and they are few."""
    steps = split(text, how=how)
    found = places(text, steps)
    assert [text[place.start : place.end] for place in found] == steps
    assert (found[0].start, found[-1].end) == (0, len(text))
    assert 1 <= len(steps) <= how.max_steps
    assert all(step.strip() for step in steps) or not text.strip()
    ends = boundaries(text, steps)
    assert ends == sorted(ends)
    assert ends[-1] == len(text)
    assert all(before.end <= end <= after.start for before, end, after in zip(found, ends, found[1:], strict=False))


@settings(max_examples=300)
@given(TEXTS | REAL, HOW)
def test_no_kind_loses_a_character(text: str, how: SplitConfig) -> None:
    check(text, how)


@pytest.mark.more
@settings(max_examples=10_000, deadline=None)
@given(TEXTS | REAL, HOW)
def test_no_kind_loses_a_character_of_many_texts(text: str, how: SplitConfig) -> None:
    check(text, how)


@given(TEXTS | REAL, st.integers(1, 14))
def test_steps_at_blank_lines_rejoin_to_the_text(text: str, max_steps: int) -> None:
    steps = split(text, max_steps)
    assert SEPARATOR.join(steps) == text
    assert 1 <= len(steps) <= max_steps
    assert [end - place.end for end, place in zip(boundaries(text, steps), places(text, steps), strict=True)] == [
        *[len(SEPARATOR)] * (len(steps) - 1), 0,
    ]  # fmt: skip


@given(TEXTS.filter(str.strip))
def test_no_step_is_blank(text: str) -> None:
    assert all(step.strip() for step in split(text, 100))


@pytest.mark.parametrize(
    ("pieces", "max_steps", "steps"), [(12, 12, 12), (13, 12, 7), (24, 12, 12), (25, 12, 9), (33, 16, 11)]
)
def test_merging_follows_the_reference(pieces: int, max_steps: int, steps: int) -> None:
    assert len(split("\n\n".join("x" * pieces), max_steps)) == steps


@settings(max_examples=300)
@given(TEXTS | REAL, HOW, st.data())
def test_spans_tile_the_tokens(text: str, how: SplitConfig, data: st.DataObject) -> None:
    lengths, left = [], len(text)
    while left:
        lengths.append(data.draw(st.integers(1, min(4, left))))
        left -= lengths[-1]
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    offsets = boundaries(text, split(text, how=how))
    found = spans(ends, offsets)
    assert [span.start for span in found[1:]] == [span.end for span in found[:-1]]
    assert found[0].start == 0
    assert found[-1].end == len(ends)
    for span, offset in zip(found, offsets, strict=True):
        reached = ends[span.end - 1] if span.end else 0
        assert reached == offset if span.exact else reached < offset


def test_a_token_that_holds_the_next_step_too() -> None:
    ends = [2, 6, 7]  # "ab", ".\n\nc", "d"
    first, second = spans(ends, boundaries("ab.\n\ncd", ["ab.", "cd"]))
    assert (first.start, first.end, first.exact) == (0, 1, False)
    assert (second.start, second.end, second.exact) == (1, 3, True)


def test_a_separator_token_is_part_of_its_step() -> None:
    first, second = spans([2, 5, 7], boundaries("ab.\n\ncd", ["ab.", "cd"]))  # "ab", ".\n\n", "cd"
    assert (first.start, first.end, first.exact) == (0, 2, True)
    assert (second.start, second.end) == (2, 3)


def test_a_space_between_sentences_belongs_to_the_second() -> None:
    """As in the tokens of most policies: a prefix that ended with a space would go on with a token that they never wrote."""
    text = "It is 3. We add."
    first, second = spans(
        [8, 11, 16], boundaries(text, split(text, how=SplitConfig(kind="sentences")))
    )  # "It is 3.", " We"
    assert (first.end, first.exact) == (1, True)
    assert (second.start, second.end) == (1, 3)


def test_steps_of_another_text_are_refused() -> None:
    with pytest.raises(ValueError, match="more than white space"):
        boundaries("a b c", ["a", "c"])
    with pytest.raises(ValueError, match="not found"):
        boundaries("a b c", ["d"])
