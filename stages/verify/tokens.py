r"""The numbers, names and signs of a formula in LaTeX or plain notation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.verify.symbols import FUNCTIONS, GREEK, subscript

MAX_TOKENS = 150
"""Numbers, names and signs of a formula; its tree is at most as deep."""


class Unreadable(ValueError):
    """Not a formula that this module knows, or beyond its limits."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    spaced: bool
    """Whether a blank stands before it."""


_NAMES = "|".join(sorted(FUNCTIONS, key=len, reverse=True))
_INDEX = (
    r"(?:_(?:\{[^{}]{1,20}\}|\\[A-Za-z]+|\d+|(?:max|min|net|tot|total|avg|eq|rms|out)(?![A-Za-z])|[A-Za-z]))?'{0,3}"
)
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<number>[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?(?!\d|,\d) | \d+\.\d+ | \.\d+ | \d+\.(?!\d) | \d+ )
    | (?P<repeat>\\overline\{{\d{{1,12}}\}})
    | (?P<frac>\\frac(?![A-Za-z]))
    | (?P<binomial>\\[dt]?binom(?![A-Za-z]))
    | (?P<sqrt>\\sqrt(?![A-Za-z])|√|sqrt(?=[\s({{]))
    | (?P<degree>\^\s?\{{?\s?(?:\\circ|\\degree|°)\s?\}}?|\\(?:circ|degree)(?![A-Za-z])|°)
    | (?P<op>\*\*|\\times(?![A-Za-z])|\\cdot(?![A-Za-z])|\\div(?![A-Za-z])|×|÷|·|∙|⋅|[-+*/^(){{}}\[\]!|])
    | (?P<by>[xX](?=\s*\d))
    | (?P<function>\\?(?:{_NAMES})(?![A-Za-z])(?:_(?:\{{[^{{}}]{{1,20}}\}}|\d|[A-Za-z]))?)
    | (?P<pi>\\pi(?![A-Za-z])|π|pi(?![A-Za-z]))
    | (?P<symbol>(?:\\(?:{"|".join(GREEK)})(?![A-Za-z])
        |\\(?:vec|hat|bar|dot|tilde|overline|overrightarrow|widehat)\s?(?:\{{[A-Za-z]{{1,4}}\}}|[A-Za-z])
        |[A-Za-zα-ωΑ-Ω]){_INDEX})
    )""",
    re.VERBOSE,
)
_OPERATOR = {"\\times": "*", "×": "*", "\\cdot": "*", "·": "*", "∙": "*", "⋅": "*", "÷": "/", "\\div": "/", "**": "^"}
_EXPONENT = re.compile(r"(?<=[\d.])[eE]([-+]?\d{1,3})(?![\dA-Za-z.])")
_BARS = re.compile(r"\\(?:[lr]?vert|mid)(?![A-Za-z])\s?|\\\|")


def tokens_of(text: str, symbols: bool) -> list[Token]:
    """The tokens of a whole formula; without `symbols`, no variable may stand in it.

    Raises:
        Unreadable: at a sign that no formula has.
    """
    text = _BARS.sub("|", _EXPONENT.sub(r"*10^{\1}", text))
    tokens: list[Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"unknown sign at {position}")
        kind, token = match.lastgroup, match.group(match.lastgroup)
        spaced = match.start(match.lastgroup) > position
        position = match.end()
        if kind == "by":
            if tokens and tokens[-1].kind in ("number", "close"):
                kind, token = "op", "*"
            else:
                kind = "symbol"
        elif kind == "op":
            token = _OPERATOR.get(token, token)
            kind = "close" if token in ")}]" else "op"
        if kind == "symbol":
            token = subscript(token)
            if not symbols and token != "e":
                raise Unreadable("a variable")
        tokens.append(Token(kind, token, spaced))
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too long")
    return tokens
