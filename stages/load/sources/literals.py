"""Lists and objects that a cell holds as text: JSON, or what Python prints for them."""

from __future__ import annotations

import ast
import io
import json
import re
import threading
import tokenize
import warnings
from typing import Any

from pipeline.errors import RowError

_OPENERS = ("[", "{", "(")
MAX_LITERAL = 2**28
"""Characters; a list may hold pictures as base64."""
_LATEX_ESCAPE = re.compile(
    r"(?<!\\)(?:\\\\)*(?P<command>\\(?:[abfv][A-Za-z]{2,}|t(?:heta|imes|ext|an|frac|riangle|o\b)|r(?:ho|ight|angle)"
    r"|n(?:u\b|eq?\b|abla|ot)))"
)
"""A LaTeX command whose backslash and first letter JSON and Python take for a control character."""
_ADJACENT = re.compile(r"""['"]\s*['"]""")
_quiet = threading.Lock()


def structured(value: Any) -> Any:
    """Text that is a JSON or Python list or object as what it says: a table's cell can hold nothing else.

    Raises:
        RowError: the text has two readings: Python joins texts between which no comma stands.
    """
    if not isinstance(value, str) or not value.lstrip().startswith(_OPENERS):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = _python(value)
    if isinstance(found, str) or (escape := _LATEX_ESCAPE.search(value)) is None:
        return found
    raise RowError("ambiguous_list", f"{escape['command']} would be read as an escape: write the backslash twice")


def _python(text: str) -> Any:
    if len(text) > MAX_LITERAL or not text.rstrip().endswith(("]", "}", ")")):
        return text
    try:
        # One at a time: rows are parsed by several threads, and the filters are everyone's.
        with _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `\s` of LaTeX is no escape, and stays what it is
            found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return text
    if not isinstance(found, (list, tuple, dict)):
        return text  # `(B)` says no more than a letter does
    if _ADJACENT.search(text) and _joins_texts(text):
        shown = text if len(text) <= 60 else text[:57] + "…"
        raise RowError("ambiguous_list", f"{shown}: no comma between two texts; write the list as JSON")
    return found


def _joins_texts(text: str) -> bool:
    """Whether two texts stand side by side: `['a' 'b']`, which numpy prints for two, and `'it''s'` are one to Python."""
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
        if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT):
            continue
        if token.type == before == tokenize.STRING:
            return True
        before = token.type
    return False
