"""The options of a multiple choice: what tells them apart, and which of them an answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase

from stages.verify.hedges import hedge
from stages.verify.listed import options_in
from stages.verify.modes import exact, number
from stages.verify.modes.text import YES_NO, case_matters, normal_text
from stages.verify.notation import first_sentence, plain
from stages.verify.quantity import read_quantity

MAX_OPTIONS = 26
"""Options A to Z."""
MAX_LENGTH = 400
"""Characters of an answer that is compared with options."""

_MARKUP = re.compile(
    r"<(?:image|img)[\s_]?\d*(?:\s[^<>]{0,200})?/?>|!\[[^\]\n]{0,200}\]\([^)\s]{0,500}\)|\\includegraphics\S{0,200}",
    re.IGNORECASE,
)
"""What stands for a picture in a text."""
_PICTURE = re.compile(
    r"[(\[<]?\s*(?:(?:see|as|shown)\s+)*(?:in\s+|on\s+)?(?:the\s+)?"
    r"(?:image|picture|pic|figure|fig|graph|diagram|drawing|photo|img|shown|above|below|图|如图|图片|图像|图形|见图)\s*[)\]>]?",
    re.IGNORECASE,
)
"""Texts that say no more than that there is a picture."""


_OWN_LETTER = re.compile(r"\s*(?:[(（]([A-Z])[)）]\s*[.:：]?|([A-Z])\s*[.):、．：])(?!\w\.)\s*")


@lru_cache(maxsize=4096)
def real_texts(options: tuple[str, ...]) -> tuple[str, ...]:
    """The options' texts without wrappers; empty for an option without one that is its own.

    That is a picture, nothing, or a text that only points at a picture: `image` beside `image`, what all options or
    three of them say alike, words beside a picture that stand beside another one too.
    """
    texts = [plain(_MARKUP.sub(" ", option)) for option in _without_letters(options)]
    pictured = [_MARKUP.search(option) is not None for option in options]
    all_alike = len(options) > 1 and len(set(texts)) == 1
    return tuple(
        "" if texts.count(text) > 1 + (not (all_alike or picture or _PICTURE.fullmatch(text))) else text
        for text, picture in zip(texts, pictured, strict=True)
    )


def _without_letters(options: tuple[str, ...]) -> list[str]:
    """`3` and `4` of `A. 3` and `(B) 4`, if each begins with its own letter."""
    marks = [_OWN_LETTER.match(option) for option in options]
    letters = [mark and (mark[1] or mark[2]) for mark in marks]
    if letters != list(ascii_uppercase[: len(options)]):
        return list(options)
    return [option[mark.end() :] for option, mark in zip(options, marks, strict=True) if mark]


@lru_cache(maxsize=1024)
def lettered(options: tuple[str, ...], question: str) -> tuple[str, ...]:
    """The options as their letters go for whoever reads the question.

    Without `options`, those that stand in it; and if it lists the same ones in another order, then in that order.
    """
    listed = options_in(question)
    if not options or listed == options:
        return listed
    given, shown = real_texts(options), real_texts(listed)
    return listed if given != shown and all(given) and sorted(given) == sorted(shown) else options


_SEPARATOR = r"\s*(?:,\s*(?:and|&)\b|,|、|;|\band\b|&|/|\+|和|与)\s*"
_LETTER = r"(?:(?:option|choice)\s*)?[(\[]?\s*[A-Z]\s*[)\]]?"
_LETTERS = re.compile(
    r"(?:(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|image|picture|figure|graph|diagram)s?|选项|选)\s*:?\s*)?"
    rf"(?:\\?[{{\[(]\s*)?({_LETTER}(?:{_SEPARATOR}{_LETTER}){{0,25}})(?:\s*\\?[}}\])])?$",
    re.IGNORECASE,
)
_ONE_LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_BRACKETED = re.compile(r"(?:\([A-Z]\)\s?){2,26}", re.IGNORECASE)
_RUN = re.compile(r"\(?([A-Z]{2,8})\)?$")
_SMALL_RUN = re.compile(r"\(?([a-z]{2,8})\)?$")
_LETTER_AND_TEXT = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?(?:[(\[]\s*([A-Z])\s*[)\]]|([A-Z])\s*[.):、,-](?=\D))\s*[:.,-]?\s*(.+)$",
    re.I,
)
_BARE_LETTER_AND_TEXT = re.compile(r"(?:(?:option|choice)\s+)?([A-Z]|a(?=\s))\s+\(?(.+?)\)?$")
_ALTERNATIVE = re.compile(r"(?i:or|and|nor|vs)\b|[/&|]|[(\[]([A-Z])[)\]]|([A-Z])(?=\s?(?:[,;)]|$|(?:or|and)\b))")
"""What follows a letter that is not chosen alone."""
_DENIALS = ("not", "no", "never", "neither", "nor", "except", "than", "cannot be", "not be")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SIGN = re.compile(r"[^\w\s,.;:!?\"'()\[\]{}$-]")
"""What is no punctuation: `≥`, `√`, `|`."""
_REASON = re.compile(r"\s*(?:because|since|as|is|which|,|with|would|should|has)\b", re.IGNORECASE)


class Conflict(ValueError):
    """The answer names an option by its letter and another one beside it, or takes its choice back."""


@lru_cache(maxsize=4096)
def chosen(answer: str, options: tuple[str, ...]) -> frozenset[int] | None:
    """The options (0 is A) that `answer` names by letter, text or both; None if it names none.

    Without `options`, letters A to Z count.

    Raises:
        Conflict: letter and text disagree, another option is named beside, or the choice is denied.
    """
    answer = plain(answer)
    if not answer or len(answer) > MAX_LENGTH:
        return None
    texts = real_texts(options)
    if len(answer) > 1 and answer in texts:
        return frozenset({texts.index(answer)})
    if (found := by_letters(answer, len(options))) is not None:
        return found
    named = _letter_and_text(answer, texts, len(options) or MAX_OPTIONS)
    if named is None:
        named = by_text(answer, texts)
    return None if named is None else frozenset({named})


def names_option(answer: str, options: tuple[str, ...]) -> bool:
    """Whether the answer names an option, rightly or in contradiction with itself."""
    try:
        return chosen(answer, options) is not None
    except Conflict:
        return True


def by_letters(answer: str, num_options: int) -> frozenset[int] | None:
    """The options that an answer without wrappers names by letters alone; A to Z count if `num_options` is 0."""
    if match := _LETTERS.match(answer):
        found = _ONE_LETTER.findall(match.group(1))
    elif _BRACKETED.fullmatch(answer):
        found = _ONE_LETTER.findall(answer)
    elif run := _RUN.match(answer) or (_SMALL_RUN.match(answer) if num_options else None):
        found = list(run.group(1))
        if len(set(found)) < len(found) or (found[0].islower() and found != sorted(found)):
            return None  # `BB` and `bad` are no sets of options
    else:
        return None
    indices = frozenset(ord(letter.upper()) - ord("A") for letter in found)
    return indices if max(indices) < (num_options or MAX_OPTIONS) else None


def canonical(chosen: frozenset[int], options: Sequence[str]) -> frozenset[int]:
    """Options with the same text of their own count as the first of them."""
    texts = real_texts(tuple(options))
    return frozenset(texts.index(texts[i]) if i < len(texts) and texts[i] else i for i in chosen)


def _letter_and_text(answer: str, options: tuple[str, ...], count: int) -> int | None:
    """`(B) 12`, `B. 12`, `B: because …`; a bare `B 12` only if the text is B's or gives a reason.

    `A polygon` is a text that begins with an article; `A 54` names option A, and contradicts itself if B is 54.
    """
    if match := _LETTER_AND_TEXT.match(answer):
        letter, rest = (match.group(1) or match.group(2)).upper(), match.group(3)
    elif bare := _BARE_LETTER_AND_TEXT.match(answer):
        letter, rest = bare.group(1).upper(), bare.group(2)
    else:
        return None
    index = ord(letter) - ord("A")
    other = _ALTERNATIVE.match(rest)
    if index >= count or (other and letter not in (other.group(1), other.group(2))):
        return None
    named = by_text(plain(rest), options)
    said = named if named is not None else by_text(plain(first_sentence(rest)), options)
    agree = named is not None and _same_option(named, index, options)
    article = match is None and letter == "A" and _takes_article(rest)
    if said is not None and not article and not _same_option(said, index, options):
        raise Conflict(f"letter {letter}, but the text of option {chr(ord('A') + said)}")
    if (not agree or first_sentence(rest) != rest) and (why := hedge(plain(rest), index, options)):
        raise Conflict(why)
    if match is None:
        return index if agree or (named is None and answer[0].isupper() and _REASON.match(rest)) else None
    return index


def _same_option(one: int, other: int, options: tuple[str, ...]) -> bool:
    return canonical(frozenset({one}), options) == canonical(frozenset({other}), options)


def _takes_article(text: str) -> bool:
    """`polygon` and `12 cm ruler` do; `54`, `12 cm` and `x^2` don't."""
    quantity = read_quantity(text)
    return bool(_WORD.search(text)) and (quantity is None or bool(quantity.noun))


@lru_cache(maxsize=4096)
def by_text(answer: str, options: tuple[str, ...]) -> int | None:
    """The one option whose real text the answer is: as words, as a number with its unit, or as a number alone."""
    for same in (_same_text, _same_number, _same_value):
        hits = [index for index, option in enumerate(options) if same(option, answer)]
        if len(canonical(frozenset(hits), options)) == 1:
            return hits[0]
    return None


def _same_text(option: str, answer: str) -> bool:
    wanted, given = normal_text(option), normal_text(answer)
    if YES_NO.get(wanted, option) == YES_NO.get(given, answer):
        return bool(wanted)
    if not wanted or wanted != given:
        return False
    # The signs that a normal text lacks are all there is to a formula.
    if not _WORD.search(wanted):
        return exact.compare(option, answer).equal is True
    option, answer = plain(option), plain(answer)
    return _SIGN.findall(option) == _SIGN.findall(answer) and not case_matters(option, answer)


def _same_number(option: str, answer: str) -> bool:
    wanted, given = read_quantity(option), read_quantity(answer)
    return wanted is not None and given is not None and number.compare_quantities(wanted, given).equal is True


def _same_value(option: str, answer: str) -> bool:
    wanted, given = read_quantity(option), read_quantity(answer)
    if wanted is None or given is None or (wanted.unit is not None and given.unit is not None):
        return False
    return not number.dimensions_differ(wanted, given) and number.same_value(wanted.value, given.value)


def _stands_in(option: str, sentence: str) -> bool:
    """Whether a formula stands in a sentence as it is: `√2` does not mention 2."""
    alone = rf"(?<![^\s(\[*,:;]){re.escape(plain(option))}(?![^\s)\]*,.:;?!])"
    return re.search(alone, plain(sentence), re.IGNORECASE) is not None


def mentioned(sentence: str, options: Sequence[str]) -> int | None:
    """The one option whose text stands in `sentence` as whole words; None for none, several, or a denied one.

    An option that is part of a longer mentioned option doesn't count: `odd` in `neither odd nor even`.
    """
    words = f" {normal_text(sentence)} "
    hits = [
        (index, text)
        for index, option in enumerate(real_texts(tuple(options)))
        if (text := normal_text(option))
        and f" {text} " in words
        and ((_WORD.search(text) and not _SIGN.search(plain(option))) or _stands_in(option, sentence))
    ]
    longest = [hit for hit in hits if not any(hit[1] != text and f" {hit[1]} " in f" {text} " for _, text in hits)]
    if len(longest) != 1:
        return None
    index, text = longest[0]
    return None if any(f" {denial} {text} " in words for denial in _DENIALS) else index
