"""One sign for each relation, operator and special set, however it is written."""

from __future__ import annotations

import re

from stages.verify.notation import plain
from stages.verify.regions import REALS

_SIGNS = {
    "≤": r"\\(?:leq?|leqslant|leqq)(?![A-Za-z])|<=|⩽|≦",
    "≥": r"\\(?:geq?|geqslant|geqq)(?![A-Za-z])|>=|⩾|≧",
    "≠": r"\\(?:neq?|not\s?=)(?![A-Za-z])|!=",
    "<": r"\\lt(?![A-Za-z])",
    ">": r"\\gt(?![A-Za-z])",
    "∞": r"\\infty(?![A-Za-z])|\binfinity\b|正?无穷大?",
    "∪": r"\\(?:big)?cup(?![A-Za-z])|(?<=[)\]])\s?U\s?(?=[(\[])",
    "∈": r"\\in(?![A-Za-z])",
    "∅": r"\\(?:emptyset|varnothing)(?![A-Za-z])",
    "±": r"\\pm(?![A-Za-z])|\+/-|\+-(?=\d)",
    "∓": r"\\mp(?![A-Za-z])",
    "|": r"\\(?:[lr]?vert|mid)(?![A-Za-z])",
}
_SIGN_PATTERNS = [(re.compile(pattern), sign) for sign, pattern in _SIGNS.items()]
_REALS = re.compile(r"\\mathbb\s?\{?\s?R\s?\}?|\\R(?![A-Za-z])|\ball real numbers\b|全体实数")
_REASON = re.compile(r",?\s+(?:since|because|as)\s.*$")


def one_sign_each(text: str) -> str:
    """A text with one sign for each relation, operator and special set."""
    text = plain(_REALS.sub(f" {REALS} ", text))
    for pattern, sign in _SIGN_PATTERNS:
        text = pattern.sub(sign, text)
    return _REASON.sub("", text).strip()
