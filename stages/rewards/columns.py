"""A row's columns, as trainers hand them to a reward function, to a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import UserError
from stages.load.sources.images import read_images
from stages.rewards.rewarder import Response

GOLDS = ("answer", "solution", "ground_truth")
PICTURES = ("images", "image")


def text_of(message: Any) -> str:
    """The text of a prompt or completion: a string, or messages, whose last one of its kind counts.

    Raises:
        UserError: it is something else.
    """
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        return text_of(message.get("content"))
    if isinstance(message, Sequence) and message:
        if all(isinstance(each, Mapping) and "role" in each for each in message):
            return text_of(message[-1])
        texts = [each if isinstance(each, str) else each.get("text") or "" for each in message]
        return "".join(texts)
    raise UserError(f"a prompt or completion is {type(message).__name__}: give a text or messages")


def question_of(prompt: Any) -> str:
    """The last user turn of a prompt."""
    if isinstance(prompt, Sequence) and not isinstance(prompt, str):
        turns = [each for each in prompt if isinstance(each, Mapping) and each.get("role") == "user"]
        return text_of(turns[-1:] or prompt)
    return text_of(prompt)


def responses(prompts: Sequence[Any], completions: Sequence[Any], columns: Mapping[str, Any]) -> list[Response]:
    """The responses of a batch. Columns that matter: `question`, `images` or `image`, a gold, `correct`.

    Raises:
        UserError: a column has not as many values as there are completions.
        RowError: an image can't be used.
    """
    count = len(completions)
    named = {
        name: columns[name] for name in ("question", "correct", *PICTURES, *GOLDS) if columns.get(name) is not None
    }
    for name, values in {"prompts": prompts, **named}.items():
        if len(values) != count:
            raise UserError(f"{name}: {len(values)} values for {count} completions")
    nothing: list[Any] = [None] * count
    questions = named.get("question", nothing)
    pictures = next((named[name] for name in PICTURES if name in named), nothing)
    golds = next((named[name] for name in GOLDS if name in named), nothing)
    correct = named.get("correct", nothing)
    return [
        Response(
            questions[index] if questions[index] is not None else question_of(prompts[index]),
            read_images(pictures[index], None) if pictures[index] else (),
            text_of(completions[index]),
            None if golds[index] is None else str(golds[index]),
            None if correct[index] is None else bool(correct[index]),
        )
        for index in range(count)
    ]
