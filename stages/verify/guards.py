"""What may go to sympy: a bound on every property of an expression that makes parsing or comparing it explode.

The worker's limits on time and memory stand behind these; the guards keep nearly everything away from them.
"""

from __future__ import annotations

import re

MAX_LENGTH = 300
"""Characters."""
MAX_DEPTH = 12
"""Nested brackets of any kind."""
MAX_PARENTHESES = 6
"""Nested round brackets: the time that the parser takes doubles with each."""
MAX_DIGITS = 30
"""Digits in a row."""
MAX_POWERS = 6
"""Powers in one expression."""
MAX_EXPONENT = 100
"""Largest literal exponent."""
MAX_FACTORIAL = 50
"""Largest literal whose factorial is taken."""

_TOWER = re.compile(r"(?:\^|\*\*)\s*[{(]?\s*-?(?:\w|\\[a-zA-Z]+|\.){1,20}[})]?\s*(?:\^|\*\*)|\^\s*\{[^{}]*(?:\^|\*\*)")
_EXPONENT = re.compile(r"(?:\^|\*\*)\s*[{(]?\s*-?\s*(\d+)")
_FACTORIAL = re.compile(r"!|\\(?:binom|choose|dbinom|tbinom)(?![A-Za-z])")
_HEAVY = re.compile(
    r"\\(?:sum|prod|int|iint|oint|lim|limsup|liminf|bigcup|bigcap|det|max|min|sup|inf|mod|bmod|pmod|partial|nabla)(?![A-Za-z])"
)
_CODE = re.compile(
    r"__|[`@#]|\b(?:import|lambda|eval|exec|open|system|subprocess|globals|getattr|compile|print|def|class)\b"
    r"|\\(?:input|write|def|let|catcode|csname)\b"
)


def refusal(text: str) -> str | None:
    """Why an expression is not given to sympy, or None if it may be."""
    if len(text) > MAX_LENGTH:
        return "too long"
    if _CODE.search(text):
        return "looks like code"
    if _depth(text, "([{", ")]}") > MAX_DEPTH or _depth(text, "(", ")") > MAX_PARENTHESES:
        return "nested too deeply"
    if re.search(r"\d" * (MAX_DIGITS + 1), text.replace(",", "")):
        return "too many digits"
    if text.count("^") + text.count("**") > MAX_POWERS or _TOWER.search(text):
        return "powers of powers"
    if any(len(power) > 3 or int(power) > MAX_EXPONENT for power in _EXPONENT.findall(text)):
        return "too large a power"
    if _HEAVY.search(text):
        return "an operator that is expensive to work out"
    return _factorials(text)


def _depth(text: str, opening: str, closing: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in opening:
            depth += 1
            deepest = max(deepest, depth)
        elif char in closing:
            depth -= 1
    return deepest


def _factorials(text: str) -> str | None:
    found = len(_FACTORIAL.findall(text))
    if found == 0:
        return None
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if found > 3 or "!!" in text or "^" in text or any(number > MAX_FACTORIAL for number in numbers):
        return "too large a factorial"
    return None
