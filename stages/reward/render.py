"""One rendering of question, images and steps, for the trainer, the scorer and the evaluator alike.

A conversation with one user turn for each step and a label after each, written by the model's own chat template
(arXiv 2503.10291, section 4). The first turn holds the images, the question and the first step. Every label is the
placeholder, so that one forward pass scores all steps: the logits just before a slot judge the steps up to there,
and earlier judgements don't sway later ones.

The other form has the question as the user turn and the whole solution as the assistant's, as the policy wrote it; a
step is judged where it ends, by the label that its last token predicts. Nothing is inserted: there are half as many
tokens, and a policy that becomes its own critic reads what it is used to.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pipeline.errors import UserError
from pipeline.records import IMAGE, SEPARATOR

FIRST_TURN = "### Question:\n{question}\n\n### Solution Process:\n{step}"
"""How the published corpora begin a conversation."""
_FIELDS = re.compile(r"(\{question\}|\{step\})")
# A stand-in of private-use characters: whatever a user's text holds is put in after the template has run.
_MARK = "\ue000{}\ue001"
_MARKS = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a conversation is written and what is read from it.

    `labels` are the texts that an assistant turn may hold, best first; `placeholder` is the one that stands in every
    slot. `first_turn` has `{question}` and `{step}`, once each; with `{question}` alone the solution stands in the
    assistant's turn, without labels. Without `system` the template's own default holds.
    """

    labels: tuple[str, ...] = ("+", "-")
    placeholder: str = "+"
    first_turn: str = FIRST_TURN
    system: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) < 2 or len(set(self.labels)) < len(self.labels) or "" in self.labels:
            raise UserError(f"layout.labels: {list(self.labels)} must be two or more different texts")
        if self.placeholder not in self.labels:
            raise UserError(f"layout.placeholder: {self.placeholder!r} must be one of the labels {list(self.labels)}")
        if _FIELDS.findall(self.first_turn) not in (["{question}", "{step}"], ["{question}"]):
            raise UserError("layout.first_turn: it needs {question} and then {step}, or {question} alone, once each")

    @property
    def inline(self) -> bool:
        """Whether the solution stands in the assistant's turn as it was written."""
        return "{step}" not in self.first_turn


@dataclass(frozen=True, slots=True)
class Rendering:
    """A conversation as ids.

    `token_ids` has one placeholder for each of the `num_images` images, until `expand`. `slots[k]` is the index of
    step k's label, or of whatever follows the step where labels aren't written; the logits at `slots[k] - 1` predict
    the label. `tail` is the number of tokens after the last slot.
    """

    token_ids: tuple[int, ...]
    slots: tuple[int, ...]
    num_images: int

    @property
    def tail(self) -> int:
        return len(self.token_ids) - self.slots[-1] - 1


def render(processor: Any, question: str, num_images: int, steps: Sequence[str], layout: Layout) -> Rendering:
    """Writes the conversation of a (perhaps partial) solution.

    Where the question has as many `<image>` as there are images, they stand there, otherwise before the question.
    The template decides what separates an image from the text after it, so one line break after `<image>` goes.
    Control tokens of the model that are spelled out in a question or step stay text: a space breaks them up.
    Where labels are written, rendering the first k steps gives a prefix of rendering more, up to and with slot k - 1;
    inline, cut a whole solution's rendering by `leading` instead.

    Raises:
        UserError: the chat template or the tokenizer can't express this layout.
        ValueError: there is no step.
    """
    if not steps:
        raise ValueError("a rendering needs a step")
    if layout.inline:
        return _render_inline(processor, question, num_images, steps, layout)
    tokenizer = getattr(processor, "tokenizer", processor)
    control = _control_tokens(processor)
    texts: list[str] = []

    def mark(text: str) -> str:
        texts.append(text)
        return _MARK.format(len(texts) - 1)

    messages: list[dict[str, Any]] = []
    if layout.system is not None:
        messages.append(_turn("system", mark(layout.system)))
    labels = []
    for index, step in enumerate(steps):
        step = _harmless(step, control)
        if index == 0:
            content = _first_content(question, num_images, step, layout.first_turn, control)
            parts = [{"type": "image"} if part is None else {"type": "text", "text": mark(part)} for part in content]
            messages.append({"role": "user", "content": parts})
        else:
            messages.append(_turn("user", mark(step)))
        labels.append(len(texts))
        messages.append(_turn("assistant", mark(layout.placeholder)))
    gated = _gates_last_turn(processor)
    if gated:
        messages.append(_turn("user", mark(".")))
    text, starts = _fill(_apply(processor, messages), texts, labels)
    if gated:
        text = text[: starts[-1] + len(layout.placeholder)]
    ids, offsets = _encode(tokenizer, text)
    places = Counter(offsets)
    labels_at = [(start, start + len(layout.placeholder)) for start in starts]
    slots = tuple(offsets.index(place) if places[place] == 1 else -1 for place in labels_at)
    if -1 in slots:
        raise UserError(f"label {layout.placeholder!r} is not one token of this tokenizer in its slot: choose another")
    return _checked(Rendering(ids, slots, num_images), processor)


def _render_inline(processor: Any, question: str, num_images: int, steps: Sequence[str], layout: Layout) -> Rendering:
    """The solution in the assistant's turn. A slot is the token after the one that completes a step's separator.

    Where one token holds the end of a separator and text of the next step, that token is the slot.
    """
    control = _control_tokens(processor)
    steps = [_harmless(step, control) for step in steps]
    content = _first_content(question, num_images, "", layout.first_turn, control)
    texts: list[str] = []
    messages: list[dict[str, Any]] = []
    if layout.system is not None:
        messages.append(_turn("system", _MARK.format(len(texts))))
        texts.append(layout.system)
    parts: list[dict[str, Any]] = []
    for part in content:
        parts.append({"type": "image"} if part is None else {"type": "text", "text": _MARK.format(len(texts))})
        texts += [] if part is None else [part]
    messages.append({"role": "user", "content": parts})
    messages.append(_turn("assistant", _MARK.format(len(texts))))
    texts.append(SEPARATOR.join(steps))
    text, (start,) = _fill(_apply(processor, messages), texts, [len(texts) - 1])
    ids, offsets = _encode(getattr(processor, "tokenizer", processor), text)
    ends, position = [], start
    for step in steps:
        position += len(step) + len(SEPARATOR)
        ends.append(position)
    ends[-1] -= len(SEPARATOR)
    after = [end for _, end in offsets]
    slots = tuple(bisect_right(after, end) for end in ends)
    if slots[-1] == len(ids):
        raise UserError("the model's chat template writes nothing after the assistant's turn, where a slot would be")
    return _checked(Rendering(ids, slots, num_images), processor)


def _encode(tokenizer: Any, text: str) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The ids of a text, and each one's place in it.

    The bytes of one character, where they are several tokens, all have that character's place.
    """
    if not tokenizer.is_fast:
        raise UserError("the model's tokenizer gives no offsets, and slots are found by these: use its fast version")
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return tuple(encoded["input_ids"]), [tuple(offset) for offset in encoded["offset_mapping"]]


def _checked(rendering: Rendering, processor: Any) -> Rendering:
    image_id = image_token_id(processor)
    found = rendering.token_ids.count(image_id) if image_id is not None else 0
    if found != rendering.num_images:
        raise UserError(f"the chat template wrote {found} image tokens for {rendering.num_images} images")
    return rendering


def label_ids(processor: Any, layout: Layout) -> tuple[int, ...]:
    """The id of each label, as it is where labels stand.

    Raises:
        UserError: a label is several tokens, or two labels are the same.
    """
    turns = replace(layout, first_turn=FIRST_TURN)
    renderings = [render(processor, "?", 0, ["."], replace(turns, placeholder=label)) for label in layout.labels]
    ids = tuple(rendering.token_ids[rendering.slots[0]] for rendering in renderings)
    if len(set(ids)) != len(ids) or len({len(rendering.token_ids) for rendering in renderings}) != 1:
        raise UserError(f"labels {list(layout.labels)}: this tokenizer doesn't give each a token of its own")
    return ids


def expand(rendering: Rendering, image_id: int | None, spans: Sequence[Sequence[int]]) -> Rendering:
    """Puts `spans[i]`, the ids that the model wants for image i, in place of its placeholder; slots move along."""
    if len(spans) != rendering.num_images:
        raise ValueError(f"{len(spans)} spans for {rendering.num_images} images")
    ids: list[int] = []
    remaining = iter(spans)
    moved = []
    for token in rendering.token_ids:
        moved.append(len(ids))
        ids.extend(next(remaining) if token == image_id else (token,))
    return replace(rendering, token_ids=tuple(ids), slots=tuple(moved[slot] for slot in rendering.slots))


def truncate(rendering: Rendering, max_tokens: int) -> Rendering | None:
    """The most leading steps that fit into `max_tokens` (after `expand`), or None where not even one does.

    The caller counts what was dropped: the difference in slots, or the whole sample.
    """
    kept = sum(slot + 1 + rendering.tail <= max_tokens for slot in rendering.slots)
    return leading(rendering, kept) if kept else None


def leading(rendering: Rendering, count: int) -> Rendering:
    """The first `count` steps: the same ids up to and with their slots, so the same scores.

    Where labels are written, this is the rendering of those steps alone. Inline it is not, and must not be: a
    solution that ends after step k has another token there than one that goes on.
    """
    slots = rendering.slots[:count]
    return replace(rendering, token_ids=rendering.token_ids[: slots[-1] + 1 + rendering.tail], slots=slots)


def image_token_id(processor: Any) -> int | None:
    """The id of the placeholder that the chat template writes for an image; None for a model without images."""
    token = getattr(processor, "image_token", None)
    found = processor.tokenizer.convert_tokens_to_ids(token) if isinstance(token, str) else None
    return None if found is None else int(found)


def _first_content(
    question: str, num_images: int, step: str, template: str, control: re.Pattern[str]
) -> list[str | None]:
    """The first turn's texts, with None for each image."""
    pieces = question.split(IMAGE)
    if len(pieces) - 1 != num_images or not num_images:
        pieces = [""] * num_images + [question]
    pieces = [
        _harmless(piece if not index else piece.removeprefix("\n"), control) for index, piece in enumerate(pieces)
    ]
    before, _, between, *rest = _FIELDS.split(template)
    pieces[0] = before + pieces[0]
    pieces[-1] += between + (step + rest[1] if rest else "")
    content: list[str | None] = []
    for index, piece in enumerate(pieces):
        content += [None] if index else []
        content += [piece] if piece else []
    return content


@lru_cache(maxsize=8)
def _gates_last_turn(processor: Any) -> bool:
    """Whether the chat template writes the last assistant turn otherwise than those before it, as with an empty thinking.

    Behind a user's turn all are written alike. So a rendering gets one more, and ends with its last label.
    """
    messages = [_turn(role, _MARK.format(index)) for index, role in enumerate(("user", "assistant") * 2)]
    try:
        literals = _MARKS.split(_apply(processor, messages))
    except UserError:
        return False
    return literals[1::2] == list("0123") and literals[2] != literals[6]


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _apply(processor: Any, messages: list[dict[str, Any]]) -> str:
    from jinja2.exceptions import TemplateError

    try:
        return str(processor.apply_chat_template(messages, add_generation_prompt=False, tokenize=False))
    except (TemplateError, ValueError) as error:
        raise UserError(f"the model's chat template can't write this conversation: {error}") from error


def _fill(rendered: str, texts: Sequence[str], labels: Sequence[int]) -> tuple[str, list[int]]:
    """The template's text with every stand-in replaced, and where each label starts in it."""
    literals = _MARKS.split(rendered)
    found = [int(index) for index in literals[1::2]]
    if found != list(range(len(texts))):
        raise UserError("the model's chat template leaves out or reorders turns: it can't be used for a reward model")
    if len({literals[2 * index] for index in labels}) != 1 or len({literals[2 * i + 2] for i in labels[:-1]}) > 1:
        raise UserError(
            "the model's chat template writes assistant turns in several ways: judge the solution where it stands, by "
            "model.first_turn with {question} alone"
        )
    parts, starts, length = [], [], 0
    for index, part in enumerate(literals):
        part = texts[int(part)] if index % 2 else part
        if index % 2 and int(literals[index]) in set(labels):
            starts.append(length)
        parts.append(part)
        length += len(part)
    return "".join(parts), starts


def _control_tokens(processor: Any) -> re.Pattern[str]:
    """Every special token of the tokenizer, and what the processor takes for an image or video."""
    tokenizer = getattr(processor, "tokenizer", processor)
    tokens = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    tokens |= {getattr(processor, name, None) or "" for name in ("image_token", "video_token", "audio_token")}
    longest_first = sorted((token for token in tokens if len(token) > 1), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _harmless(text: str, control: re.Pattern[str]) -> str:
    return control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
