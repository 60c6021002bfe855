r"""Finds the final answer in a full response.

Explicit forms win over looser ones wherever they stand, and within one rank the last one counts:

1. what `markers.py` finds (`\boxed{…}`, `<answer>…</answer>`, `#### …`) and `Final answer: …`;
2. `Answer: …`, `答案: …`, `选 …`;
3. `The answer is …`, `the correct option is …`, `I would choose …`, `B is the correct answer`;
4. what `conclude.py` finds.

A response that the token limit cut off can have an answer of the first two kinds only.
Where the options are known, a form that names one of them wins over a form that names none.
Unfinished thoughts (a tag of `stages/split/thinking.py` without its end) hold no answer, and neither does what follows
an invented next question. Text that the answer stands in is cut away, but nothing is added to it or worked out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from stages.split.thinking import ENDS, STARTS
from stages.verify.conclude import concluded
from stages.verify.hedges import admission
from stages.verify.markers import (
    MAX_ANSWER,
    Extraction,
    Found,
    backwards,
    has_tag,
    last_box,
    last_hashes,
    last_json,
    opens_after,
    tags,
)
from stages.verify.notation import first_sentence, plain
from stages.verify.options import names_option
from stages.verify.quantity import read_quantity

MAX_RESPONSE = 100_000
"""Characters of a response, from its end, that are read: the answer comes last."""
MAX_GOLD = 20_000
"""Characters of a gold, from its end, in which a final answer is looked for."""
MIN_WORKED_GOLD = 60
"""Characters from which on a gold is looked through for a final answer."""

_NEXT_TURN = re.compile(
    r"^[ \t]{0,8}(?:#{1,6}\s?)?(?:\*\*)?(?:Question|Q|Problem|Human|User|Hint)(?:\s\d{1,3})?(?:\*\*)?:"
    r"|<\|(?:im_start|im_end|eot_id|endoftext)\|>|</s>",
    re.MULTILINE,
)
_LITERAL_NEWLINE = re.compile(r"\\n(?![a-z])")

_COLON = r"(?:\s(?:is|are))?\s?[*_]{0,3}\s?[:：]\s?[*_]{0,3}"
_FINAL = re.compile(
    rf"\bfinal\s(?:answer|result|solution){_COLON}|最终答案\s?[是为]?\s?[:：]"
    r"|^(?:#{1,6}\s?|\*{2,3})(?:the\s)?(?:final\s)?answer(?:\*{2,3})?[ \t]{0,4}$|^(?:the\s)?final\sanswer[ \t]{0,4}$"
    r"|\*{2,3}(?:final\s)?answer\*{2,3}(?=[ \t])",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(
    rf"(?<![A-Za-z])(?:answers?|ans|answer choice|(?:correct|right)\s(?:option|choice)){_COLON}|(?:^|\n)\W{{0,5}}ans\.\s(?=\S)"
    rf"|(?:^|\n)\W{{0,5}}answer\s[-–—]\s(?=\(?[A-H]\b)|(?:^|\n)\W{{0,5}}answer\s(?=\s?[$\\\d(-])"
    r"|(?:答案|选项|(?:^|\n)答)\s?应?该?[是为选]?\s?[:：]|(?:答案|正确选项)应?该?[是为选]"
    r"|(?<![不未别无])选择?\s?[:：]?(?=\s?[(（]?\s?[A-H]{1,8}(?![A-Za-z]))",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"\b(?:answers?|option|choice|(?:correct|right)\s(?:options|choices))(?:\s(?:letter|choice|option|number|value)s?)?"
    r"(?:\s(?:to|for|of|from|among|in)\b[^.\n:]{0,80}?)?\s"
    r"(?:(?:is|are|would be|should be|must be|will be|has to be|(?:seems|appears)\sto\sbe)\b|=)"
    r"(?:\s(?:definitely|clearly|therefore|thus|also|then|likely|most likely|probably))?(?:\s(?:option|choice|letter)\b)?\s?:?"
    r"|\b(?:I|we)\s(?:would\s|will\s|should\s|can\s|must\s)?(?:choose|select|pick|go with)\s"
    r"(?:(?:the\s)?(?:option|choice|answer)\b\s?:?|(?=\(?[A-H]\b))",
    re.IGNORECASE,
)
_IS_THE_ANSWER = re.compile(
    r"(?:^|(?<=[\n.,;:]))\s?(?:(?:so|thus|therefore|hence),?\s)?(?:(?:option|choice|answer)\s)?([^.\n,;:]{1,60}?)"
    r"\s(?:is|would be|must be)\s(?:the|our)\s(?:(?:correct|right|best|final)\s)?(?:answer|option|choice)\b",
    re.IGNORECASE,
)
_IS_CORRECT = re.compile(
    r"\b(?i:option|choice|answer|thus,?|hence,?|therefore,?|so,?)\s\(?([A-Z])\)?(?:\s\([^()\n]{1,60}\))?\s(?:is|must be)\s"
    r"(?:(?:correct|right|true)\b(?!\s\w)|the\s(?:correct|right)\sone\b)"
)

_SUPPOSED = re.compile(
    r"\b(?:if|suppose|assume|assuming|unless|whether)\s(?:that\s)?(?:(?:the|our|my|this)\s)?(?:(?:correct|right|final)\s)?$",
    re.IGNORECASE,
)
_IS = re.compile(r"\s(?:is|are|equals|be|was|were)\s(?=\S)")
_LETTERED = re.compile(
    r"(?:the\s)?(?:option|choice|image|picture|figure|diagram|graph|panel|photo|选项|图)\s?\(?([A-Z])\)?", re.IGNORECASE
)
"""`Image C`, where the options are pictures."""
_LETTER = re.compile(r"[*_(\[]{0,4}([A-Z])[*_)\].:]{0,4}(?=\s|$)")
_PREAMBLE = re.compile(r"(?:let'?s|let us|we|first|to|given|since|note|i|in order|looking)\b", re.IGNORECASE)
_YES_NO = re.compile(r"(yes|no)\s?[,.;:!-]", re.IGNORECASE)
_COUNTED = re.compile(
    r"(-?\$?\d[\d,.]{0,20}(?:\s[A-Za-z]{1,20}){0,2}?),?\s(?:that|which|who|because|since|(?:in|on|at|with|left)\b\D*$)"
    r"|(\d[\d,.]{0,20}(?:\s[A-Za-z]{1,20}){1,2}?)\s(?:have|has|are|is|were|was)\b"
)
_LABELLED = re.compile(r"\(?[A-Z][).:]")
_CHINESE = re.compile(r"[\u4e00-\u9fff，、\s]{1,30}?(-?\d[\d.,/]*\s?[^\d\s，。；]{0,8})")
_FIRST_CLAIM = re.compile(
    r"[*_(\[]{0,3}(?:([A-Z])|-?\$?\d[\d,.]{0,20}%?(?:\s[A-Za-z]{1,20})?)[*_)\]]{0,3}"
    r"(?:(?(1)[,;]\s(?![A-Z]\b)|;)|,?\s(?:but|however|or|though|although|because|since|while|whereas|and\sthe\sother)\b)"
)
"""`A, but it could be B`, `13; the original was 12`: an answer with a remark, which is not what it ends on."""
_DOUBTED = re.compile(r"\b(?:unlikely|never|not|hardly|impossible)(?:\sto)?$", re.IGNORECASE)
_WORDY = 3
"""Words from which on an answer is taken for a sentence that the answer stands in."""


def extract(
    response: str,
    options: Sequence[str] = (),
    question: str = "",
    finish_reason: str = "stop",
    lettered: bool = False,
    parts: int = 1,
) -> Extraction | None:
    """The final answer, or None if the response has none.

    Args:
        lettered: the answer is the letter of an option that is not known; a form that names a letter wins.
        parts: as many values make up the answer.
    """
    text = final_part(response)
    if text is None:
        return None
    ended = finish_reason == "stop"
    known = tuple(options)
    first: Extraction | None = None
    for find in (_explicit, _label, _phrase) if ended else (_explicit, _label):
        if (found := find(text, parts)) is None:
            continue
        place, said = found
        if not ended and opens_after(text, place):
            return replace(said, complete=False)
        if (naming := _naming(said, known, lettered)) is not None:
            return naming
        first = first or said
    if first is None and ended and (said_last := concluded(text, options, question)) is not None:
        return Extraction(said_last, "conclusion", True)
    return first


def _naming(said: Extraction, options: tuple[str, ...], lettered: bool) -> Extraction | None:
    """The extraction, or its whole sentence, if it names an option; any extraction where there are none."""
    if (not options and not lettered) or (options and names_option(said.text, options)):
        return said
    if said.whole and options and names_option(said.whole, options):
        return replace(said, text=said.whole)
    if (letter := _LETTERED.fullmatch(plain(said.text))) is not None:
        return replace(said, text=letter.group(1), whole=said.text)
    return said if lettered and not options and _LETTER.match(said.text) else None


@lru_cache(maxsize=1024)
def gold_answer(gold: str) -> str:
    """The answer in a gold that is itself a worked solution; other golds are taken as they are."""
    if len(gold) < MIN_WORKED_GOLD and "\\boxed" not in gold and "####" not in gold:
        return gold
    found = _explicit(gold[-MAX_GOLD:])
    return found[1].text if found else gold


def final_part(response: str) -> str | None:
    """What is said to the user: after the thoughts, before an invented next turn; None for thoughts alone."""
    text = _LITERAL_NEWLINE.sub("\n", response[-MAX_RESPONSE:])
    if ends := list(ENDS.finditer(text)):
        text = text[ends[-1].end() :]
    elif STARTS.search(text) and not has_tag(text):
        return None
    text = text.lstrip()
    next_turn = _NEXT_TURN.search(text, 1)
    return text[: next_turn.start()] if next_turn else text


def _explicit(text: str, parts: int = 1) -> Found | None:
    """The last of the boxes, answer tags, JSON keys, `####` and `Final answer:` lines."""
    final = _last_label(text, _FINAL, "final_answer")
    found = [last_box(text, parts), _last_tag(text), last_json(text), last_hashes(text), final]
    return max((part for part in found if part), key=lambda part: part[0], default=None)


def _last_tag(text: str) -> Found | None:
    for place, inner, closed in tags(text):
        nested = _explicit(inner) or _label(inner) or _phrase(inner)
        return place, Extraction(nested[1].text if nested else inner, "answer_tag", closed)
    return None


def _last_label(text: str, label: re.Pattern[str], form: str) -> Found | None:
    for match in backwards(label, text):
        if _SUPPOSED.search(text[max(0, match.start() - 40) : match.start()]):
            continue
        if (found := _after(text, match.end(), form)) is not None:
            return match.start(), found
    return None


def _label(text: str, _: int = 1) -> Found | None:
    return _last_label(text, _LABEL, "label")


def _phrase(text: str, _: int = 1) -> Found | None:
    """The last `the answer is …`, `… is the answer` or `option B is correct`."""
    found = [_last_label(text, _PHRASE, "phrase")]
    for pattern in (_IS_THE_ANSWER, _IS_CORRECT):
        last = next(backwards(pattern, text), None)
        # `This is the answer` points at something else.
        if last is not None and not re.fullmatch(r"(?:this|that|it|which|here|what)", last.group(1), re.IGNORECASE):
            found.append((last.start(1), Extraction(last.group(1).strip(), "phrase", True)))
    return max((part for part in found if part), key=lambda part: part[0], default=None)


def _after(text: str, start: int, form: str) -> Extraction | None:
    """The rest of the line, or the next line that has something; a display formula as a whole."""
    rest = text[start : start + MAX_ANSWER].lstrip(" \t\n*_:：}")
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening) and (end := rest.find(closing, 2)) > 0:
            return Extraction(rest[2:end].strip(), form, True)
    line, newline, following = rest.partition("\n")
    line = _without_open_brace(line)
    said = first_sentence(line)
    cut = said.strip(" \t*").rstrip(".")
    if not re.search(r"\w", cut):
        return None
    if _PREAMBLE.match(cut) and len(cut.split()) > _WORDY and following.strip():
        return None
    if _LABELLED.match(cut) and (doubt := admission(line[len(said) :])):
        return Extraction(f"{cut}. {doubt}", form, True)
    narrow = _narrow(cut)
    return Extraction(narrow, form, bool(newline) or len(cut) + 1 < len(line.strip()), cut if narrow != cut else "")


def _without_open_brace(line: str) -> str:
    r"""`C}` of `\text{Answer: C}` without the brace that was opened before."""
    return re.sub(r"\}(\W*)$", r"\1", line) if line.count("}") - line.count("{") == 1 else line


def _narrow(text: str) -> str:
    """`the area of the square is 12` says 12, `2 bars have values above 4` says 2 bars, `no, there are none` no."""
    if (lettered := _LETTERED.fullmatch(text)) is not None:
        return lettered.group(1)
    if (said := _YES_NO.match(text) or _COUNTED.match(text)) is not None:
        return said.group(said.lastindex or 0)
    if (chinese := _CHINESE.fullmatch(text)) is not None:
        return chinese.group(1)
    if len(text.split()) > _WORDY and "\\begin" not in text and not _LABELLED.match(text):
        parts = _IS.split(text)
        if _contradicts(parts):
            return text
        value_first = read_quantity(parts[0]) is not None and read_quantity(parts[-1]) is None
        return parts[0] if value_first else parts[-1]
    return text


def _contradicts(parts: Sequence[str]) -> bool:
    """Whether a sentence, cut at its `is`, begins with another answer of the kind that it ends on, or denies its end."""
    first, last = _FIRST_CLAIM.match(parts[0]), parts[-1]
    if len(parts) > 1 and _DOUBTED.search(parts[-2]):
        return True
    if first is None:
        return False
    return _LETTER.fullmatch(last) is not None if first.group(1) else read_quantity(last) is not None
