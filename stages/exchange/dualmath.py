"""DualMath-1.1M of URSA (arXiv 2501.04686), read only: a picture, a solution whose steps end in и, a label for each.

`instruction` is the verifier's prompt: the question, `Step 1: … и`, and so on, last `†Answer: …`, which has no label and
is no step. `output` has `<pos>` or `<neg>` in place of every и; texts between them, where there are any, are those of
`instruction`. `image_url` is the picture's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from pipeline.errors import RowError
from stages.exchange.conversations import labelled
from stages.exchange.format import Format, ImportOptions, Read, Reader
from stages.exchange.values import get

LABELS = {"<pos>": "+", "<neg>": "-"}
_ASKED = "Question:"
_MARK = re.compile(r"\s+и(?=\s|†|$)")
_FIRST = re.compile(r"\s(?=(?:Step|步骤)\s*1\s*[:：])")
_TAG = re.compile("|".join(LABELS))


def read(record: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The question, and the steps with their labels; `Step k: ` stays in front of a step.

    Raises:
        RowError: the steps and the labels don't fit, or there is no question.
    """
    text, given = get(record, "instruction", str), get(record, "output", str)
    *pieces, _answer = _MARK.split(text)
    if not pieces:
        raise RowError("odd_steps", "no step of `instruction` ends in 'и'")
    tags = _TAG.findall(given)
    for number, (piece, said) in enumerate(zip_longest(pieces, _TAG.split(given)[:-1]), 1):
        if piece is None or said is None:
            raise RowError("odd_labels", f"{len(pieces)} steps and {len(tags)} labels")
        own, other = _plain(piece), _plain(_MARK.sub("", said))
        # The question may be missing there, and the steps may be.
        if other and own != other and not (number == 1 and own.endswith(other)):
            raise RowError("odd_labels", f"instruction and output differ in step {number}")
    starts = list(_FIRST.finditer(pieces[0]))
    if not starts:
        raise RowError("odd_steps", "the first step doesn't begin with 'Step 1:'")
    # A question may number its parts in the same way, so the last one counts.
    head, first = pieces[0][: starts[-1].start()], pieces[0][starts[-1].end() :]
    question = head.rpartition(_ASKED)[2].strip()
    if not question:
        raise RowError("empty_question", "there is nothing between 'Question:' and the first step")
    steps = [step.strip() for step in (first, *pieces[1:])]
    for number, step in enumerate(steps, 1):
        if not step:
            raise RowError("empty_step", f"step {number} of {len(steps)} is empty")
    return question, list(zip(steps, (LABELS[tag] for tag in tags), strict=True))


def _plain(text: str) -> str:
    return "".join(text.split())


def _read(record: Mapping[str, Any], _options: ImportOptions) -> Read:
    question, turns = read(record)
    return Read(labelled(question, None, turns), {}, images=get(record, "image_url", str))


FORMAT = Format(
    reader=Reader(
        read=_read,
        holds="steps that end in и, and <pos> or <neg> for each in output",
        released="`instruction` and `output` (DualMath-1.1M), whose counts weren't released",
    )
)
