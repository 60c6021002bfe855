"""Ways of writing that never change what an answer says: delimiters, fonts, spacing, Unicode variants.

Everything here is linear in the length of its input, or bounded by `MAX_DEPTH`.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_DEPTH = 30
"""Font commands that are unwrapped; further ones are left as they are."""
MAX_REMEMBERED = 500
"""Characters of a text whose plain form is kept for the next mode and the next answer."""
MAX_MISSING = 2
"""Closing braces that are added at the end."""

_UNICODE = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-",
        "，": ",", "．": ".", "：": ":", "；": ";", "（": "(", "）": ")", "［": "[", "］": "]", "％": "%",
        "＝": "=", "＋": "+", "／": "/", "＜": "<", "＞": ">", "｛": "{", "｝": "}", "＄": "$", "￥": "¥", "！": "!",
        "“": '"', "”": '"', "‘": "'", "’": "'", "′": "'", "∕": "/", "⁄": "/", "∗": "*", "˚": "°", "º": "°",
        "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
        "½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4",
        "𝜋": "π",
        **{chr(0xFF10 + i): str(i) for i in range(10)},
        **{chr(0xFF21 + i): chr(65 + i) for i in range(26)},
        **{chr(0xFF41 + i): chr(97 + i) for i in range(26)},
    }
)  # fmt: skip

_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋]+")
_PLAIN_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-n0123456789+-")
_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up|sl)?|math(?:rm|bf|it|sf|tt|cal|bb|frak|scr)|operatorname\*?|mbox|hbox"
    r"|boldsymbol|bm|fbox|boxed|displaystyle|textstyle|rm|bf|it)\b\s*"
)
_SPACING = re.compile(
    r"(?<!\\)\\[,;:!> ]|~|\\q?quad|\\(?:thinspace|enspace|hspace\*?\{[^{}]*\})|\\(?:big|Big|bigg|Bigg)[lr]?\b"
)
_FRACTION = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_ESCAPED_TWICE = re.compile(
    r"\\\\(?=(?:[dt]?frac|left|right|sqrt|pi|text|leq?|geq?|neq?|boxed|cdot|times|circ|infty|cup|in|pm)(?![A-Za-z]))"
)
_LEFT_RIGHT = re.compile(r"\\(?:left|right)\b\.?")
_DELIMITERS = re.compile(r"(?<!\\)(?:\\[()\[\]]|\$)")
_PRICE = re.compile(r"[^$]*\$\s?[\d.][^$]*")
"""A dollar sign with no other to pair with, before a number."""
_MARKDOWN = re.compile(r"\*\*|__(?=\S)|(?<=\S)__|`")
_THOUSANDS = re.compile(r"(?<=\d)\s?(?:\{\s?,\s?\}|,\\!|\{\\,\}|\\,)\s?(?=\d{3}(?!\d))")
_SPACES = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])(?:[.?]|(?<!\d)!)(?:\*\*)?(?=\s+[A-Z\"'(\[]|\s*$)|。|(?<=\))\.(?=\s)")
_ABBREVIATIONS = frozenset(
    "vs mr ms dr mrs st mt ft jr sr inc co ltd no nos fig figs eq eqs ex prof rev hon gen col sgt lt capt gov sen rep pres dept"
    " approx ca cf al vol pp ch sec ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e a.m p.m u.s u.k".split()
)
_LAST_WORD = re.compile(r"([A-Za-z.]{1,8})$")
_TRAILING = " \t\n\r.,;:。"


def ascii_punctuation(text: str) -> str:
    """Full-width and typographic characters as their plain ASCII forms."""
    if text.isascii():
        return text
    text = _RAISED.sub(lambda match: _level("^", match.group(0)), text)
    return _LOWERED.sub(lambda match: _level("_", match.group(0)), text).translate(_UNICODE)


def _level(mark: str, text: str) -> str:
    """`⁻¹⁹` as `^{-19}`."""
    text = text.translate(_PLAIN_DIGITS)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}{{{text}}}"


def first_sentence(line: str) -> str:
    """`B. No` is one sentence and so is `Mt. Everest`; `5. This follows from …` is two."""
    for match in _SENTENCE_END.finditer(line):
        word = _LAST_WORD.search(line, 0, match.start()) if line[match.start()] == "." else None
        if word is None or word.group(1).lower() not in _ABBREVIATIONS or not line[match.end() :].strip():
            return line[: match.start()]
    return line


def group_end(text: str, start: int) -> int | None:
    """The index of the brace that closes the one at `start`, or None; escaped braces don't count."""
    depth = 0
    index = start
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 2
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    return None


def _unwrap_fonts(text: str) -> str:
    r"""`\text{a}` as `a`, wherever it stands."""
    for _ in range(MAX_DEPTH):
        match = _FONT.search(text)
        if match is None:
            break
        start = match.end()
        end = group_end(text, start) if text[start : start + 1] == "{" else None
        inner = text[start:] if end is None else text[start + 1 : end] + text[end + 1 :]
        before = text[: match.start()]
        text = before + (" " if before[-1:].isalnum() else "") + inner
    return text


def plain(text: str) -> str:
    r"""The answer without wrappers: `$\boxed{\text{12 cm}}.$` is `12 cm`."""
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _unwrapped(text)


def _unwrapped(text: str) -> str:
    text = ascii_punctuation(text)
    if "\\begin" not in text:
        text = _ESCAPED_TWICE.sub(r"\\", text)
    text = _THOUSANDS.sub(",", text)
    text = _MARKDOWN.sub("", text)
    text = _FRACTION.sub(r"\\frac", text)
    text = _LEFT_RIGHT.sub("", text)
    if not _PRICE.fullmatch(text):
        text = _DELIMITERS.sub("", text)
    text = text.replace("\\$", "$")
    text = _SPACING.sub(" ", text)
    text = _unwrap_fonts(text)
    text = text.replace("\\%", "%").replace("\\#", "#").replace("\\&", "&").replace("\\_", "_")
    text = _SPACES.sub(" ", text)
    return _strip(_close(text))


_remembered = lru_cache(maxsize=8192)(_unwrapped)


def _close(text: str) -> str:
    r"""`3\sqrt{2` with the brace that is missing at its end."""
    missing = text.count("{") - text.count("}") - text.count("\\{") + text.count("\\}")
    return text + "}" * missing if 0 < missing <= MAX_MISSING else text


def _strip(text: str) -> str:
    """Without outer blanks, quotes, final punctuation and one pair of braces around everything."""
    for _ in range(4):
        before = text
        text = text.strip().rstrip(_TRAILING)
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        if text.startswith("{") and group_end(text, 0) == len(text) - 1:
            text = text[1:-1]
        if text == before:
            break
    return text
