"""What a judge is asked to write, as a JSON schema, and what its answers say. Pure.

An answer has as many entries as the solution has steps, each with a verdict and a category out of lists and, where it is
asked for, a reason of bounded length. So an answer has a longest form, from which its token limit follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

StepVerdict = Literal["correct", "incorrect", "neutral"]
Category = Literal["none", "reading", "arithmetic", "logic", "knowledge", "unsupported", "other"]
Unread = Literal["cut", "no_json", "other_form"]

VERDICTS: tuple[StepVerdict, ...] = get_args(StepVerdict)
"""Of a step: right, wrong, or neither (a remark)."""
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""What is wrong with a step: `none`, reading the picture, arithmetic, logic, knowledge, an unsupported premise, other."""


class Opinion(NamedTuple):
    """What one answer says of one step; `reason` is null where none was asked for."""

    verdict: StepVerdict
    category: Category
    reason: str | None = None


def answer_schema(steps: int, reason_characters: int) -> dict[str, Any]:
    """The JSON schema of an answer on `steps` steps; without reasons where they may have no character."""
    properties: dict[str, Any] = {
        # First, so that the verdict follows from it.
        **({"reason": {"type": "string", "maxLength": reason_characters}} if reason_characters else {}),
        "verdict": {"enum": list(VERDICTS)},
        "category": {"enum": list(CATEGORIES)},
    }
    step = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"steps": {"type": "array", "minItems": steps, "maxItems": steps, "items": step}},
        "required": ["steps"],
        "additionalProperties": False,
    }


def longest(steps: int, reason_characters: int) -> int:
    """The characters of the longest answer: a bound on its tokens, of which none is shorter where all text is ASCII."""
    # An escape takes two characters.
    reason = {"reason": "\\" * reason_characters} if reason_characters else {}
    step = {**reason, "verdict": max(VERDICTS, key=len), "category": max(CATEGORIES, key=len)}
    return len(json.dumps({"steps": [step] * steps}))


def read_answer(text: str, steps: int, reason_characters: int) -> tuple[Opinion, ...] | Unread:
    """What an answer says of each step, or why it can't be read; nothing is guessed."""
    try:
        held = json.loads(text)
    except ValueError:
        return "no_json"
    given = held.get("steps") if isinstance(held, dict) else None
    if not isinstance(given, list) or len(given) != steps:
        return "other_form"
    found = [_opinion(each, reason_characters) for each in given]
    return "other_form" if None in found else tuple(one for one in found if one is not None)


def _opinion(step: Any, reason_characters: int) -> Opinion | None:
    if not isinstance(step, Mapping) or step.get("verdict") not in VERDICTS or step.get("category") not in CATEGORIES:
        return None
    reason = step.get("reason") if reason_characters else None
    if reason_characters and (not isinstance(reason, str) or len(reason) > reason_characters):
        return None
    return Opinion(step["verdict"], step["category"], reason)
