"""Finds the answer of a response that never says "answer": in what it is, or in a sentence that concludes.

Only what can mean exactly one value or one option counts; all else is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.verify.modes.date import is_date
from stages.verify.notation import ascii_punctuation, plain
from stages.verify.options import mentioned, names_option
from stages.verify.quantity import read_quantity
from stages.verify.words import NUMBER_WORDS

MAX_SENTENCES = 40
"""Sentences, from the end, that are looked at."""
MAX_TEXT = 6_000
"""Characters of a response, from its end, that are looked at."""
MAX_BARE = 300
"""Characters of a response that is nothing but an answer."""
MIN_OVERLAP = 0.6
"""Share of the question's content words that a sentence must have to restate it."""

_POLITE = re.compile(
    r"(?:^|(?<=[\s.!?]))(?:I hope|Hope this|Let me know|Please let me know|Is there anything else|Do you (?:have|want|need)"
    r"|Would you like|If you have any|Feel free|Please feel free|Thank you|Note that|Sure, I can help)[^.!?\n]*[.!?]?",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"\W*(?:therefore|thus|hence|so|consequently|in conclusion|in summary|finally|overall|as a result|accordingly"
    r"|this (?:means|implies|gives)|which (?:means|gives)|we (?:get|have|find|conclude)"
    r"|(?:the |our )?(?:final )?(?:result|solution) (?:is|are)|∴|所以|因此|故|综上|即)",
    re.IGNORECASE,
)
_SENTENCES = re.compile(
    r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bMrs\.)(?<=[.!?。])(?:\*\*)?\s+(?=[A-Z(\\$*∴\"])|\n+|(?<=。)"
)
_TAIL = re.compile(
    r"\b(?:is|are|was|were|be|equals|equal to|of|to|have|has|had|get|gives?|gets|as|at|approximately|about)(?=\s|\d)|[=≈:]",
    re.IGNORECASE,
)
_MARKED = re.compile(r"\*\*([^*\n]{1,80})\*\*|(?<![\\\d])\$([^$\n]{1,120})\$|\\\((.{1,120}?)\\\)")
_NUMBER = re.compile(
    r"(?<![\w.])-?(?:[$€£]\s?)?\d+(?:,\d{3})*(?:\.\d+)?(?:\s?/\s?\d+)?(?:\s?[%°])?(?![\w]|\.\d)|\b(?:"
    + "|".join(NUMBER_WORDS)
    + r")\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]{3,}")
_STOP_WORDS = (
    "the what which how many much does and that this are was were for from with have has had you your there their its"
    " than then will would could should can not all any between into about answer question choices image picture shown"
    " figure below above value number find"
)
_STOP = frozenset(_STOP_WORDS.split())
_DENIAL = re.compile(r"\b(?:not|cannot|never|neither|nor)\b|n't\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"\b(?:at (?:least|most)|(?:more|less|greater|smaller|fewer|larger|higher|lower) than)\s+(?:or equal to\s+)?"
    r"[-$\\(]{0,3}\d[\d,.]*",
    re.IGNORECASE,
)
_REFUTED = re.compile(
    r"\(([A-Z])\)[^.,;()]{0,30}?(?:\b(?:not|cannot|wrong|incorrect|false|excluded|eliminated|ruled out|impossible)\b|n't\b)"
)
_SENTENCE_WORDS = re.compile(r"[A-Za-z]{2,}")
_LETTER = re.compile(r"\(([A-Z])\)")
_OPTION_LINE = re.compile(r"(?:(?:option|choice|image|picture|figure)\s)?\(?([A-Z])[).]?", re.IGNORECASE)
_LEADING_LETTER = re.compile(r"[*_(\[]{0,3}([A-H])[*_)\].]{0,3}[ \t]*\n")
"""A letter alone on the first line, before the reasons."""
_BOLD_LINE = re.compile(r"(?:^|\n)[ \t]*\*\*([^*\n]{1,80})\*\*[ \t.]*$")
_LABELLED_VALUE = re.compile(r"[A-Z][A-Za-z ]{0,40}:\s?\S")
_YES_NO = re.compile(r"\W*(yes|no)\b\s*[,.;:!\n-]", re.IGNORECASE)


def concluded(text: str, options: Sequence[str], question: str) -> str | None:
    """The answer that a whole response amounts to, or None."""
    text = _POLITE.sub("", text[-MAX_TEXT:]).strip()
    if not text:
        return None
    if (shown := _shown_alone(text, options)) is not None:
        return shown
    if (last := _last_line(text, options)) is not None:
        return last
    if _is_bare(text) and (not options or names_option(text, tuple(options))):
        formulas = [next(filter(None, match.groups())) for match in _MARKED.finditer(text)]
        return formulas[0] if len(formulas) == 1 and len(_SENTENCE_WORDS.findall(_MARKED.sub("", text))) > 1 else text
    sentences = [part for part in (p.strip() for p in _SENTENCES.split(text)) if re.search(r"\w", part)]
    found = _from_sentences(sentences[-MAX_SENTENCES:], options, question)
    if found is None and (leading := _YES_NO.match(text)):
        found = leading.group(1)
    if found is None and (letter := _LEADING_LETTER.match(text)) and names_option(letter.group(1), tuple(options)):
        found = letter.group(1)
    return found


def _last_line(text: str, options: Sequence[str]) -> str | None:
    """A last line that is one of the options, as `C. 14 cm`, but not the last one of a list of options; or one number."""
    *before, last = [line.strip() for line in text.split("\n") if line.strip()]
    if not before or len(last) > MAX_BARE:
        return None
    last = re.sub(r"^(?:[→⇒∴]|[-=]>|\\(?:Rightarrow|therefore))\s*", "", last.strip("$")).rstrip(".")
    if not options:
        return last if _NUMBER.fullmatch(last) else None
    if lettered := _OPTION_LINE.fullmatch(last):
        last = lettered.group(1)
    return last if names_option(last, tuple(options)) and not names_option(before[-1], tuple(options)) else None


def _shown_alone(text: str, options: Sequence[str]) -> str | None:
    """What the last line has in bold and nothing else: `**12**`, `**Total: $1,234**`."""
    match = _BOLD_LINE.search(text)
    if match is None or match.group(1).endswith(":"):
        return None
    shown = (
        match.group(1).rpartition(":")[2].strip() if _LABELLED_VALUE.match(match.group(1)) else match.group(1).strip()
    )
    shown = shown.rstrip(".")
    named = names_option(shown, tuple(options)) if options else read_quantity(shown) is not None
    return shown if named else None


def _is_bare(text: str) -> bool:
    """One short line that is no sentence: `Mr. Watson`, `x > 5`, but not `I can't see the picture.`"""
    if "\n" in text or len(text) > MAX_BARE or text.endswith(":"):
        return False
    body = re.sub(r"\\[A-Za-z]+", " ", plain(text))
    words = len(_SENTENCE_WORDS.findall(body))
    return bool(re.search(r"\w", body)) and words <= (3 if text.endswith(".") else 5)


def _from_sentences(sentences: list[str], options: Sequence[str], question: str) -> str | None:
    asked = _content_words(_last_question(question))
    for position, sentence in enumerate(reversed(sentences)):
        last = position == 0
        if not (restates(sentence, asked) or (last and (len(sentences) == 1 or _CONCLUSION.match(sentence)))):
            continue
        found = _one_option(sentence, options) if options else one_value(sentence, question)
        if found is not None:
            return found
    return None


def _one_option(sentence: str, options: Sequence[str]) -> str | None:
    letters = {letter for letter in _LETTER.findall(sentence) if ord(letter) - ord("A") < len(options)}
    if letters & set(_REFUTED.findall(sentence)):
        return None
    if len(letters) == 1:
        return letters.pop()
    index = mentioned(sentence, options)
    return None if index is None else options[index]


def one_value(sentence: str, question: str) -> str | None:
    """The value that a sentence marks, ends on, or is the only one to add to the question; None if it denies."""
    if _DENIAL.search(sentence):
        return None
    sentence = ascii_punctuation(sentence.strip().rstrip("."))
    found = _value_of(sentence, question)
    # `at least 12` tells a bound, not that the value is 12.
    return found if found is not None and found.lower() in _COMPARED.sub(" ", sentence).lower() else None


def _value_of(sentence: str, question: str) -> str | None:
    marked = [next(filter(None, match.groups())) for match in _MARKED.finditer(sentence)]
    if len(set(marked)) == 1 and "\\" in marked[0]:
        return marked[0]
    for candidate in (marked[-1:], _TAIL.split(sentence)[-1:]):
        if candidate and (read_quantity(candidate[0]) is not None or is_date(candidate[0])):
            return candidate[0].strip()
    numbers = {number.lower() for number in _numbers(sentence)}
    if len(numbers) > 1:
        numbers -= {number.lower() for number in _numbers(ascii_punctuation(question))}
    return numbers.pop() if len(numbers) == 1 else None


def _numbers(text: str) -> list[str]:
    return [match.group(0).strip() for match in _NUMBER.finditer(text)]


def restates(sentence: str, asked: frozenset[str]) -> bool:
    """Whether a sentence has most of the question's content words, and two or more of them."""
    common = len(asked & _content_words(sentence))
    return common >= 2 and common >= MIN_OVERLAP * len(asked)


def _content_words(text: str) -> frozenset[str]:
    """Words without endings: the first six letters."""
    return frozenset(word[:6].rstrip("s") for word in _WORD.findall(text.lower()) if word not in _STOP)


def _last_question(question: str) -> str:
    """The sentence that asks, without the options after it."""
    question = re.split(r"\n\s*(?:choices|options)\b|\n\s*\(?A[).]", question, flags=re.IGNORECASE)[0]
    parts = [part for part in re.split(r"(?<=[.?!])\s+", question.strip()) if part]
    asking = [part for part in parts if "?" in part]
    return (asking or parts or [""])[-1]
