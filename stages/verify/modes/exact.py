"""Mode `exact`: the same text once delimiters, fonts and outer punctuation are gone. Case counts."""

from __future__ import annotations

import re

from stages.verify.finding import Finding
from stages.verify.notation import plain

_BLANK = re.compile(r" (?!\d)|(?<!\d) ")
"""Blanks are no part of an answer, but `1 2` is not 12."""


def compare(gold: str, answer: str) -> Finding:
    """True or nothing: different texts may still say the same."""
    wanted, given = (_BLANK.sub("", plain(side)) for side in (gold, answer))
    if wanted and wanted == given:
        return Finding(True, "same text")
    return Finding(None, "different text")
