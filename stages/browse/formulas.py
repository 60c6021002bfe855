"""Texts as HTML: everything escaped, formulas as MathML. Pure.

Formulas are what stands in `$…$`, `$$…$$`, `\\(…\\)` or `\\[…\\]`, and `\\boxed{…}` by itself. What a formula becomes is built
anew from a list of elements and attributes, so nothing else gets through, whatever the converter makes of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

LONGEST = 4_000
"""Characters of a text that a page shows; the rest is a click away."""
_FORMULA_LONGEST = 600
_DEEPEST = 20
"""Braces within braces that a formula may have: the converter calls itself for each."""
_FORMULA = re.compile(
    r"\$\$(?P<display>[^$]+?)\$\$|\\\[(?P<bracket>.+?)\\\]|\\\((?P<paren>.+?)\\\)"
    r"|(?<![\\$\w])\$(?P<inline>(?![\s\d.,]*(?:\s|$))[^$\n]*?[^$\s\\])\$(?![\w$])"
    r"|(?P<boxed>\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})",
    re.DOTALL,
)
_ELEMENTS = set(
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover mtable mtr mtd mpadded"
    " mphantom mstyle menclose mmultiscripts mprescripts none".split()
)
_ATTRIBUTES = set(
    "display mathvariant stretchy fence separator form lspace rspace accent accentunder columnalign rowspacing columnspacing"
    " columnlines rowlines linethickness notation width height depth displaystyle scriptlevel movablelimits largeop symmetric"
    " minsize maxsize".split()
)
_VALUE = re.compile(r"[\w .%+#-]{0,40}")


def to_html(text: str) -> Markup:
    """The text with its formulas as MathML; a formula that can't be converted stands as it was written."""
    parts, last = [], 0
    for found in _FORMULA.finditer(text):
        kind = str(found.lastgroup)
        formula = mathml(found[kind], display=kind in ("display", "bracket"))
        if formula is not None:
            parts += [escape(text[last : found.start()]), formula]
            last = found.end()
    return Markup("".join([*parts, escape(text[last:])]))


@lru_cache(maxsize=4096)
def mathml(latex: str, display: bool = False) -> str | None:
    """MathML of a formula, of known elements alone; None if it is too long or is none."""
    if len(latex) > _FORMULA_LONGEST or not latex.strip() or _depth(latex) > _DEEPEST:
        return None
    from latex2mathml.converter import convert

    try:
        root = ElementTree.fromstring(convert(latex, display="block" if display else "inline"))
        return _element(root)
    except Exception:  # the converter raises nearly anything, and the text itself is always there to show
        return None


def shortened(text: str, longest: int = LONGEST) -> tuple[str, int]:
    """The beginning of a text, and how many characters of it are left out."""
    return (text, 0) if len(text) <= longest else (text[:longest], len(text) - longest)


def _element(node: Any) -> str:
    name = str(node.tag).rpartition("}")[2]
    inside = escape(node.text or "") + "".join(_element(child) + escape(child.tail or "") for child in node)
    if name not in _ELEMENTS:
        return inside if name in ("semantics", "a") else f"<mrow>{inside}</mrow>"
    kept = {key: value for key, value in node.attrib.items() if key in _ATTRIBUTES and _VALUE.fullmatch(value)}
    written = "".join(f' {key}="{escape(value)}"' for key, value in kept.items())
    return f"<{name}{written}>{inside}</{name}>"


def _depth(latex: str) -> int:
    deepest = depth = 0
    for letter in latex:
        depth += (letter == "{") - (letter == "}")
        deepest = max(deepest, depth)
    return deepest + latex.count("\\left") + latex.count("^{^") + latex.count("\\begin")
