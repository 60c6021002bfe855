"""Where sentences begin, in scripts with and without spaces, between formulas, lists and code."""

from __future__ import annotations

import re

_CLOSING = r"[\"'”’»)\]*_]*"
_END = re.compile(
    rf"[.!?…]+{_CLOSING}\s+(?=[^\sa-z])"  # a small letter goes on with the sentence
    rf"|[。！？]+[”’」』）)\]*_]*\s*"
    r"|\n(?=[ \t]*(?:[-*+•][ \t]|#{1,6}[ \t]|[(\[]?\d{1,3}[.)、\]][ \t]|```|~~~))"
    r"|\n[^\S\n]*\n\s*"
)
_SHORT = re.compile(
    r"(?:^|[\s(\[“\"'])(?:e\.g|i\.e|cf|vs|viz|etc|al|approx|resp|ca|Fig|Figs|Eq|Eqs|Ex|No|Nos|Sec|Thm|Def|Prop|Dr|Mr|Mrs|Ms|Prof|St)\.$"
)
_ITEM = re.compile(r"(?:^|\n)[ \t]*(?:[-*+•][ \t]+|#{1,6}[ \t]+)?(?:\*\*)?[(\[]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})\.$")
_LOOK_BACK = 16
"""Characters before a full stop that tell whether it is that of a short form or of a list's number."""


def sentence_starts(text: str) -> list[int]:
    """The places where a sentence, a paragraph or an item of a list begins, the first of the text aside.

    A full stop ends none behind a short form (`e.g.`, `Fig.`), behind a list's number or letter, or before a small letter.
    """
    return [found.end() for found in _END.finditer(text) if not _goes_on(text, found)]


def _goes_on(text: str, found: re.Match[str]) -> bool:
    if text[found.start()] != ".":
        return False
    before = text[max(0, found.start() - _LOOK_BACK) : found.start() + 1]
    return bool(_SHORT.search(before) or _ITEM.search(before if found.start() >= _LOOK_BACK else f"\n{before}"))
