"""The names that stand in formulas: Greek letters, functions, subscripts, and which runs of letters are no words."""

from __future__ import annotations

import re

_GREEK_NAMES = (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta θ iota ι kappa κ lambda λ mu μ nu ν"
    " xi ξ rho ρ varrho ρ sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ"
    " Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω ell ℓ hbar ℏ"
).split()
GREEK = dict(zip(_GREEK_NAMES[::2], _GREEK_NAMES[1::2], strict=True))
"""Commands and their letters; two forms of one letter, as `\\epsilon` and `\\varepsilon`, are one symbol."""
FUNCTIONS = frozenset("sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln lg log exp".split())
_INVERSE = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}

_COMMAND = re.compile(r"\\[A-Za-z]+")
_MARKED = re.compile(r"\\(?:vec|hat|bar|dot|tilde|overline|overrightarrow|widehat)\s?\{?([A-Za-z]{1,4})\}?")
_INDEX = re.compile(r"_(?:\{[^{}]*\}|[A-Za-z]{2,5}(?![A-Za-z]))")
_RUN = re.compile(r"[A-Za-z]{2,}")
_FUNCTION = re.compile(rf"(?:{'|'.join(sorted(FUNCTIONS, key=len, reverse=True))}|sqrt|pi)$")
_SHORT_WORDS = frozenset(
    "no on of am pm is it in as at an so or us we he me by to do go up my ok vs st nd rd th".split()
)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_MAX_PRODUCT = 5
"""Letters that stand side by side in a product."""


def subscript(symbol: str) -> str:
    r"""One spelling of a symbol: `v_{\max}` is `v_max`, `\alpha_1` is `α_1`, `\vec{v}` is `vec v`."""
    name, mark, index = symbol.partition("_")
    primes = symbol.count("'")
    name = name.rstrip("'")
    if marked := _MARKED.fullmatch(name):
        name = f"{name[1 : name.index(marked.group(1)[0])].strip(' {')} {marked.group(1)}"
    elif name.startswith("\\"):
        name = GREEK[name[1:]]
    index = re.sub(r"[\\{}\s']", "", index)
    return name + mark + index + "'" * primes


def may_be_product(text: str) -> bool:
    """Whether every run of letters can be a product of symbols: `nRT`, `mgh`, `AB + BC`, but no `red`, `Area`, `ACB`."""
    text = _INDEX.sub(" ", _COMMAND.sub(" ", text))
    runs = _RUN.findall(text)
    if len(runs) == 1 and runs[0] == text.strip() and runs[0].isupper() and len(runs[0]) > 2:
        return False
    return not any(_is_word(run, text) for run in runs) and all(_is_product(run) for run in runs)


def _is_word(run: str, text: str) -> bool:
    """`at` is a word alone or between words, and a product in `v_0 + at`."""
    if run.lower() not in _SHORT_WORDS:
        return False
    return (
        text.strip() == run
        or re.search(rf"[A-Za-z]\s+{run}(?![A-Za-z])|(?<![A-Za-z]){run}\s+[A-Za-z]", text) is not None
    )


def _is_product(run: str) -> bool:
    if _FUNCTION.match(run):
        return True
    if len(run) > _MAX_PRODUCT:
        return False
    if len(run) == 2 or run.isupper() or not run[1:].islower():
        return True
    return not re.search(r"[aeiouy]", run.lower()) or run.lower() in _ALPHABET or run in ("xyz", "lwh")
