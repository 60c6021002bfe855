"""Mode `math`: equality of formulas, lists, sets, intervals, matrices, ratios and equations.

`forms.py` decides nearly all: bounded, in the caller's process, on symbols that keep case, Greek letters and subscripts.
What its grammar lacks goes to math-verify, with the gold first, behind guards. Math-verify reads the best expression that
it finds somewhere in a text, folds case and drops subscripts; so here a side must be one expression from end to end, and
two expressions that it calls equal must also agree in their symbols, in the order of assigned values, and in value at
a few points. That part is slow and can run away: `VerifierPool` runs it in a process of its own.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from stages.verify import forms
from stages.verify.arithmetic import is_range
from stages.verify.finding import UNREADABLE, Finding
from stages.verify.guards import refusal
from stages.verify.modes.date import is_date
from stages.verify.notation import plain

logging.getLogger("math_verify").setLevel(logging.ERROR)

_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{3,}")
_FUNCTION_NAMES = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt infty pmatrix bmatrix vmatrix matrix begin"
    " end cases"
)
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_LABEL_LIKE = re.compile(r"^[A-Za-z]{1,3}\d+[A-Za-z]?$")
_OR = re.compile(r",?\s(?:or|and)\s")
_RELATIONS = {
    "!=": r"\neq ",
    ">=": r"\geq ",
    "<=": r"\leq ",
    "≠": r"\neq ",
    "≥": r"\geq ",
    "≤": r"\leq ",
    "∞": r"\infty ",
}
_ORDINAL = re.compile(r"\d\s?(?:st|nd|rd|th)(?![A-Za-z])")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z](?:_\{?\w\}?)?)\s*=\s*([^=<>]+?)\s*")


_ASSIGNED_NAME = re.compile(r"^\s*\\?[A-Za-z]+(?:_\{?\w+\}?)?\s*=(?![=<>])")
_SYMBOL = re.compile(r"'+|\\[A-Za-z]+|_\{[^{}]*\}|_\w|[A-Za-zα-ωΑ-Ω]")
_NO_SYMBOLS = frozenset(
    r"\frac \sqrt \cdot \times \div \leq \geq \neq \infty \cup \in \pm \begin \end \ldots \dots \cdots \mid \sin \cos \tan \ln \log"
    r" \exp \circ".split()
)


def compare(gold: str, answer: str) -> Finding:
    """Compares in this process, without a time limit: see the module's docstring."""
    return compare_bounded(gold, answer) or compare_by_library(gold, answer)


def compare_bounded(gold: str, answer: str) -> Finding | None:
    """What can be said at once; None if only math-verify can tell."""
    if forms.same_substance(gold, answer):
        return Finding(True, "equal expressions")
    if _is_label(gold) or _is_label(answer):
        return UNREADABLE
    if (equal := forms.compare(gold, answer)) is not None:
        return Finding(equal, "equal expressions" if equal else "different expressions")
    wanted, given = readable(gold), readable(answer)
    if wanted is None or given is None:
        return UNREADABLE
    if (why := refusal(wanted) or refusal(given)) is not None:
        return Finding(None, f"not compared: {why}")
    if symbols_of(wanted) != symbols_of(given):
        return Finding(False, "other symbols")
    return None


def _is_label(text: str) -> bool:
    """`K12`, `7th` or a date: signs that only look like a formula."""
    text = plain(text)
    return bool(_LABEL_LIKE.match(text) or _ORDINAL.search(text) or is_date(text))


def compare_by_library(gold: str, answer: str) -> Finding:
    """Compares by math-verify, without a time limit."""
    wanted, given = readable(gold), readable(answer)
    return UNREADABLE if wanted is None or given is None else _verify(wanted, given)


def readable(text: str) -> str | None:
    """The text as one LaTeX expression, or None if it is prose, a label, a date or empty."""
    text = _OR.sub(", ", plain(text))
    for sign, command in _RELATIONS.items():
        text = text.replace(sign, command)
    if not text or _is_label(text) or is_range(text):
        return None
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", text)) if word.lower() not in _FUNCTIONS]
    if words or re.search(r"[\u4e00-\u9fff]", text):
        return None
    return text


def symbols_of(text: str) -> frozenset[str]:
    """The letters, Greek letters and subscripts of a text, without the name on the left of a first equals sign."""
    *_, text = _ASSIGNED_NAME.split(text, maxsplit=1)
    return frozenset(_SYMBOL.findall(text)) - _NO_SYMBOLS


def _verify(wanted: str, given: str) -> Finding:
    from math_verify import verify

    if (left := _ordered_values(wanted)) and not _assigned(given):
        wanted = left
    elif (right := _ordered_values(given)) and not _assigned(wanted):
        given = right
    if "=" in given and "=" not in wanted and not _ASSIGNMENT.match(given):
        return Finding(False, "an equation that is not solved")
    left_side, right_side = _parse(wanted), _parse(given)
    if left_side is None or right_side is None:
        return UNREADABLE
    if not verify(left_side, right_side, timeout_seconds=None):
        return Finding(False, "different expressions")
    if not _agree(left_side, right_side):
        return Finding(False, "different values at a point")
    return Finding(True, "equal expressions")


def _letters(text: str, functions: bool = True) -> frozenset[str]:
    """The letters outside LaTeX commands; without `functions`, also outside names such as `sin`."""
    text = _COMMAND.sub(" ", text)
    if not functions:
        text = _WORD.sub(" ", text)
    return frozenset(re.findall(r"[A-Za-z]", text))


def _assigned(text: str) -> list[tuple[str, str]]:
    """`x=2, y=3` as names and values; empty if any part isn't an assignment."""
    parts = [_ASSIGNMENT.fullmatch(part) for part in re.split(r"[,;]|\\text\{ ?and ?\}|\band\b", text)]
    return [] if None in parts else [(part.group(1), part.group(2)) for part in parts if part]


def _ordered_values(text: str) -> str | None:
    """The values of two or more different variables, in the order given: `x=2, y=3` is `(2, 3)`, never `(3, 2)`."""
    found = _assigned(text)
    if len(found) < 2 or len({name for name, _ in found}) < len(found):
        return None
    return "(" + ", ".join(value for _, value in found) + ")"


@lru_cache(maxsize=256)
def _parse(text: str) -> Any:
    """The sympy expression of a whole text, or None."""
    from math_verify import LatexExtractionConfig, parse

    found = parse(f"${text}$", [LatexExtractionConfig(boxed_match_priority=-1)], parsing_timeout=None)
    if not found or isinstance(found[0], str) or not _all_letters_kept(text, found[0]):
        return None
    return found[0]


def _all_letters_kept(text: str, parsed: Any) -> bool:
    """Math-verify drops what it takes for a unit: `5 th` would be 5. The constants e and i may go.

    In equations and the like it drops the name on the left, rightly.
    """
    if re.search(r"[=<>:]|\\(?:in|leq?|geq?|neq?)(?![A-Za-z])", text):
        return True
    kept = "".join(str(symbol) for symbol in getattr(parsed, "free_symbols", ()))
    return all(letter in kept or letter in "ei" for letter in _letters(text, functions=False))


def _agree(left: Any, right: Any) -> bool:
    """Whether two expressions have the same variables and the same values at a few points.

    Anything but plain expressions (sets, relations, matrices) passes, and so does what has no value there.
    """
    from sympy import Expr, Rational

    if not (isinstance(left, Expr) and isinstance(right, Expr)):
        return True
    variables = sorted(left.free_symbols | right.free_symbols, key=str)
    for start in (Rational(7, 5), Rational(23, 11)):
        point = {symbol: start + Rational(3 * index, 7) for index, symbol in enumerate(variables)}
        a, b = (complex(side.subs(point).evalf(15)) if _has_value(side, point) else None for side in (left, right))
        if a is not None and b is not None and abs(a - b) > 1e-6 * max(1e-9, abs(a), abs(b)):
            return False
    return True


def _has_value(side: Any, point: dict[Any, Any]) -> bool:
    value = side.subs(point).evalf(15)
    return bool(value.is_number and value.is_finite)
