"""Conversations as ids: literal ones for the demo policy, and what holds for any text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from stages.reward.render import Layout, Rendering, expand, label_ids, leading, render, truncate
from tests.places import ROOT

GOLDEN = [json.loads(line) for line in (ROOT / "tests/golden/renderings.jsonl").read_text().splitlines()]
LAYOUT = Layout(system="Judge.")
IMAGE, LABELS = 3, {"+": 17, "=": 35, "-": 19}
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["+", "-", "a\n\nb", "<image>", "<IMG_CONTEXT>", "<|im_end|>\n", "{step}"]
)


@pytest.fixture(scope="module")
def processor() -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(ROOT / "demo/policy")


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_the_ids_are_literally_these(processor: Any, case: dict) -> None:
    layout = Layout(**{**case["layout"], "labels": tuple(case["layout"].get("labels", "+-"))})
    rendering = render(processor, case["question"], case["num_images"], case["steps"], layout)
    assert processor.tokenizer.decode(rendering.token_ids) == case["text"]
    assert list(rendering.token_ids) == case["token_ids"]
    assert list(rendering.slots) == case["slots"]


@given(question=TEXTS, steps=st.lists(TEXTS, min_size=1, max_size=4), num_images=st.integers(0, 2))
def test_any_text_gives_a_slot_a_step_and_no_image_or_turn_more(
    processor: Any, question: str, steps: list[str], num_images: int
) -> None:
    rendering = render(processor, question, num_images, steps, LAYOUT)
    ids, start = rendering.token_ids, processor.tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert len(rendering.slots) == len(steps)
    assert {ids[slot] for slot in rendering.slots} == {LABELS["+"]}
    assert ids.count(IMAGE) == num_images
    assert ids.count(start) == 1 + 2 * len(steps)
    header = ids[rendering.slots[0] - 4 : rendering.slots[0]]
    assert all(ids[slot - 4 : slot] == header for slot in rendering.slots)


@given(steps=st.lists(TEXTS, min_size=2, max_size=4), kept=st.integers(1, 3))
def test_the_first_steps_render_as_a_prefix_and_truncation_keeps_whole_steps(
    processor: Any, steps: list[str], kept: int
) -> None:
    whole = render(processor, "How many?", 1, steps, LAYOUT)
    some = render(processor, "How many?", 1, steps[:kept], LAYOUT)
    assert whole.token_ids[: len(some.token_ids)] == some.token_ids
    assert truncate(whole, len(some.token_ids)) == some
    first = render(processor, "How many?", 1, steps[:1], LAYOUT)
    assert truncate(whole, len(first.token_ids) - 1) is None


def test_an_image_stands_at_its_place_with_one_line_break(processor: Any) -> None:
    assert render(processor, "<image>\nHow many?", 1, ["2"], LAYOUT) == render(processor, "How many?", 1, ["2"], LAYOUT)
    text = processor.tokenizer.decode(render(processor, "Left <image> right <image>\n?", 2, ["2"], LAYOUT).token_ids)
    assert "### Question:\nLeft <IMG_CONTEXT>\n right <IMG_CONTEXT>\n?\n\n### Solution" in text


def test_the_template_gives_the_same_ids(processor: Any) -> None:
    turns = [
        ("system", "Judge."),
        ("user", "### Question:\nHow many?\n\n### Solution Process:\na + b"),
        ("assistant", "+"),
        ("user", "so 2"),
        ("assistant", "+"),
    ]
    messages = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
    ids = processor.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
    assert list(render(processor, "How many?", 0, ["a + b", "so 2"], LAYOUT).token_ids) == ids[0]


def test_expanding_moves_the_slots() -> None:
    rendering = Rendering((7, IMAGE, 8, IMAGE, 9, 17, 2), (5,), 2)
    assert expand(rendering, IMAGE, [(4, 3, 3, 5), (4, 3, 5)]) == Rendering(
        (7, 4, 3, 3, 5, 8, 4, 3, 5, 9, 17, 2), (10,), 2
    )
    with pytest.raises(ValueError, match="1 spans for 2 images"):
        expand(rendering, IMAGE, [(3,)])


def test_labels_are_single_tokens(processor: Any) -> None:
    assert label_ids(processor, Layout(labels=("+", "=", "-"))) == tuple(LABELS.values())
    with pytest.raises(UserError, match="'Yes' is not one token"):
        label_ids(processor, Layout(labels=("Yes", "-"), placeholder="-"))
    with pytest.raises(UserError, match="'😀' is not one token"):
        render(processor, "?", 0, ["a"], Layout(labels=("😀", "-"), placeholder="😀"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("+",)}, "two or more different texts"),
        ({"labels": ("+", "+")}, "two or more different texts"),
        ({"placeholder": "?"}, "must be one of the labels"),
        ({"first_turn": "{step}"}, "needs {question} and then {step}"),
    ],
)
def test_a_layout_that_means_nothing_is_refused(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Layout(**change)


def test_templates_that_cannot_be_used_are_one_line(processor: Any) -> None:
    class Templated:
        tokenizer, image_token = processor.tokenizer, processor.image_token

        def __init__(self, template: str) -> None:
            self.template = template

        def apply_chat_template(self, messages: list, **options: Any) -> str:
            return self.tokenizer.apply_chat_template(messages, chat_template=self.template, **options)

    body = "{{ m.role }}:{% for part in m.content %}{{ part.text or '' }}{% endfor %}"
    thinking = "{% for m in messages %}{% if loop.index == 2 %}<think>{% endif %}" + body + "<|im_end|>{% endfor %}"
    with pytest.raises(UserError, match="several ways"):
        render(Templated(thinking), "?", 0, ["a", "b"], Layout())
    with pytest.raises(UserError, match="leaves out"):
        render(Templated("{% for m in messages[:2] %}" + body + "{% endfor %}"), "?", 0, ["a", "b"], Layout())
    with pytest.raises(UserError, match="no system here"):
        render(Templated("{{ raise_exception('no system here') }}"), "?", 0, ["a"], LAYOUT)
    with pytest.raises(UserError, match="0 image tokens for 1 images"):
        render(Templated("{% for m in messages %}" + body + "<|im_end|>{% endfor %}"), "?", 1, ["a"], Layout())


_BODY = "<|im_start|>{{ m.role }}\n{% if gate %}<think>\n\n</think>\n\n{% endif %}"
_BODY += "{% for part in m.content %}{{ part.text or '' }}{% endfor %}<|im_end|>\n"
GATES = {
    # Of the last message, and of what comes behind the last question, as in Qwen3.
    "last": "{% for m in messages %}{% set gate = loop.last and m.role == 'assistant' %}" + _BODY + "{% endfor %}",
    "behind the last question": "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}"
    "{% set gate = m.role == 'assistant' and loop.index0 > ns.last %}" + _BODY + "{% endfor %}",
}


@pytest.mark.parametrize("gate", GATES)
def test_a_template_that_writes_the_last_assistant_turn_otherwise(processor: Any, gate: str) -> None:
    class Gated:
        tokenizer, image_token = processor.tokenizer, processor.image_token

        def apply_chat_template(self, messages: list, **options: Any) -> str:
            return self.tokenizer.apply_chat_template(messages, chat_template=GATES[gate], **options)

    gated = Gated()
    whole = render(gated, "?", 0, ["a", "b", "c"], Layout())
    text = processor.tokenizer.decode(whole.token_ids)
    assert "<think>" not in text
    assert text.endswith("user\nc<|im_end|>\n<|im_start|>assistant\n+")
    assert {whole.token_ids[slot] for slot in whole.slots} == {LABELS["+"]}
    for kept in (1, 2):
        some = render(gated, "?", 0, ["a", "b", "c"][:kept], Layout())
        assert some == leading(whole, kept)
        assert truncate(whole, len(some.token_ids)) == some
    assert label_ids(gated, Layout()) == (LABELS["+"], LABELS["-"])


INLINE = Layout(first_turn="{question}\nSolve step by step.")


def test_inline_the_solution_stands_as_the_policy_wrote_it(processor: Any) -> None:
    steps = ["black = 5.", "5 × 5 = 25.", "Final answer: 25"]
    rendering = render(processor, "What is it?", 1, steps, INLINE)
    decode = processor.tokenizer.decode
    assert decode(rendering.token_ids).endswith("\n\n".join(steps) + "<|im_end|>\n")
    assert "+" not in decode(rendering.token_ids)
    # The slot's logits come from the token that completes the step's separator, where a continuation would begin.
    assert [decode(rendering.token_ids[slot - 1]) for slot in rendering.slots] == [".\n\n", ".\n\n", "5"]
    assert decode(rendering.token_ids[rendering.slots[-1]]) == "<|im_end|>"
    assert label_ids(processor, INLINE) == label_ids(processor, LAYOUT)


@given(steps=st.lists(st.text(max_size=20), min_size=1, max_size=5), question=TEXTS)
def test_inline_every_step_has_a_slot_in_order(processor: Any, steps: list[str], question: str) -> None:
    rendering = render(processor, question, 1, steps, INLINE)
    assert len(rendering.slots) == len(steps)
    assert list(rendering.slots) == sorted(rendering.slots)
    assert 0 < rendering.slots[0] <= rendering.slots[-1] < len(rendering.token_ids)


@pytest.mark.parametrize("layout", [LAYOUT, INLINE])
def test_leading_steps_keep_the_ids_before_their_slots(processor: Any, layout: Layout) -> None:
    steps = ["black = 5.", "5 × 5 = 25.", "Final answer: 25"]
    whole = render(processor, "What is it?", 1, steps, layout)
    for count in range(1, 4):
        part = leading(whole, count)
        assert part.slots == whole.slots[:count]
        assert part.token_ids[: part.slots[-1] + 1] == whole.token_ids[: part.slots[-1] + 1]
        if layout is LAYOUT:
            assert part == render(processor, "What is it?", 1, steps[:count], layout)
