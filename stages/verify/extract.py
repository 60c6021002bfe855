r"""Finds the final answer in a full response.

Explicit forms win over looser ones wherever they stand, and within one rank the last one counts:

1. `\boxed{…}`, `<answer>…</answer>`, `Final answer: …`;
2. `Answer: …`, `答案: …`, `故选 …`;
3. `The answer is …`, `the correct option is …`, `I would choose …`, `B is the correct answer`;
4. what `conclude.py` finds.

A response that the token limit cut off can have an answer of the first two kinds only.
Where the options are known, a form that names one of them wins over a form that names none.
Unfinished thoughts (`<think>` without an end) hold no answer, and neither does what follows an invented next
question. Text that the answer stands in is cut away, but nothing is added to it or worked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stages.verify.conclude import concluded
from stages.verify.hedges import admission
from stages.verify.notation import first_sentence, group_end
from stages.verify.options import names_option

MAX_RESPONSE = 100_000
"""Characters of a response, from its end, that are read: the answer comes last."""
MAX_ANSWER = 2_000
"""Characters of an answer that are kept."""
MAX_MATCHES = 200
"""Matches of one form that are tried, from the last one."""
MIN_WORKED_GOLD = 60
"""Characters from which on a gold is looked through for a final answer."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """`form` names the rule that found `text`; `complete` is False if a longer response might go on in it."""

    text: str
    form: str
    complete: bool


Found = tuple[int, Extraction]
"""Where an answer stands, and the answer."""

_THINK_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINK_START = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"^[ \t]{0,8}(?:#{1,6}\s?)?(?:\*\*)?(?:Question|Q|Problem|Human|User|Hint)(?:\s\d{1,3})?(?:\*\*)?:"
    r"|<\|(?:im_start|im_end|eot_id|endoftext)\|>|</s>",
    re.MULTILINE,
)
_LITERAL_NEWLINE = re.compile(r"\\n(?![a-z])")

_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_JOINED = re.compile(r"(?:[\s$,;]|\\[\]\[()]|\\q?quad|\\text\{\s?(?:and|or)\s?\}|and|or){1,30}")
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_TAG_END = re.compile(r"</answer>", re.IGNORECASE)
_COLON = r"(?:\s(?:is|are))?\s?(?:\*\*)?\s?:\s?(?:\*\*)?"
_FINAL = re.compile(
    rf"\bfinal\s(?:answer|result|solution){_COLON}|最终答案\s?[是为]?\s?[:：]"
    r"|^(?:#{1,6}\s?|\*\*)(?:the\s)?(?:final\s)?answer(?:\*\*)?[ \t]{0,4}$",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(
    rf"(?<![A-Za-z])(?:answer|ans|answer choice){_COLON}|(?:^|\n)\W{{0,5}}answer\s(?=\s?[$\\\d(-])"
    r"|(?:答案|选项)\s?应?该?[是为选]?\s?[:：]|故?答案应?该?[是为选]"
    r"|(?:故|因此|所以|应该?|答案)选择?\s?[:：]?(?=\s?[(（]?\s?[A-H]{1,8}(?![A-Za-z]))",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"\b(?:answers?|option|choice)(?:\s(?:letter|choice|option|number|value))?"
    r"(?:\s(?:to|for|of|from|among|in)\b[^.\n:]{0,80}?)?\s(?:(?:is|are|would be|should be|must be|will be|has to be)\b|=)"
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
    r"\b(?i:option|choice|answer)\s\(?([A-Z])\)?(?:\s\([^()\n]{1,60}\))?\s(?:is|must be)\s(?:correct|right|true)\b"
)

_IS = re.compile(r"\s(?:is|are|equals|be|was|were)\s(?=\S)")
_YES_NO = re.compile(r"(yes|no)\s?[,.;:!-]", re.IGNORECASE)
_COUNTED = re.compile(
    r"(-?\$?\d[\d,.]{0,20}(?:\s[A-Za-z]{1,20}){0,2}?),?\s(?:that|which|who|because|since|(?:in|on|at|with|left)\b\D*$)"
    r"|(\d[\d,.]{0,20}(?:\s[A-Za-z]{1,20}){1,2}?)\s(?:have|has|are|is|were|was)\b"
)
_LABELLED = re.compile(r"\(?[A-Z][).:]")
_WORDY = 4
"""Words from which on an answer is taken for a sentence that the answer stands in."""


def extract(
    response: str, options: Sequence[str] = (), question: str = "", finish_reason: str = "stop"
) -> Extraction | None:
    """The final answer, or None if the response has none."""
    text = final_part(response)
    if text is None:
        return None
    ended = finish_reason == "stop"
    first: Extraction | None = None
    for find in (_explicit, _label, _phrase) if ended else (_explicit, _label):
        if (found := find(text)) is None:
            continue
        if not options or names_option(found[1].text, tuple(options)):
            return found[1]
        first = first or found[1]
    if first is None and ended and (said := concluded(text, options, question)) is not None:
        return Extraction(said, "conclusion", True)
    return first


def gold_answer(gold: str) -> str:
    """The answer in a gold that is itself a worked solution; other golds are taken as they are."""
    if len(gold) < MIN_WORKED_GOLD and "\\boxed" not in gold:
        return gold
    found = _explicit(gold[-MAX_RESPONSE:])
    return found[1].text if found else gold


def final_part(response: str) -> str | None:
    """What is said to the user: after the thoughts, before an invented next turn; None for thoughts alone."""
    text = _LITERAL_NEWLINE.sub("\n", response[-MAX_RESPONSE:])
    if ends := list(_THINK_END.finditer(text)):
        text = text[ends[-1].end() :]
    elif _THINK_START.search(text) and not _TAG.search(text):
        return None
    text = text.lstrip()
    next_turn = _NEXT_TURN.search(text, 1)
    return text[: next_turn.start()] if next_turn else text


def _explicit(text: str) -> Found | None:
    """The last of the boxes, answer tags and `Final answer:` lines."""
    found = [part for part in (_last_box(text), _last_tag(text), _last_label(text, _FINAL, "final_answer")) if part]
    return max(found, key=lambda part: part[0], default=None)


def _last_box(text: str) -> Found | None:
    """The last box that is closed and not empty, together with those joined to it: `box and box`."""
    inner: list[str] = []
    first = -1
    for match in _backwards(_BOX, text):
        end = group_end(text[: match.end() + MAX_ANSWER], match.end() - 1)
        if end is None or not text[match.end() : end].strip():
            continue
        if inner and not _JOINED.fullmatch(text[end + 1 : first]):
            break
        inner.insert(0, text[match.end() : end].strip())
        first = match.start()
    return (first, Extraction(", ".join(inner), "boxed", True)) if inner else None


def _last_tag(text: str) -> Found | None:
    for match in _backwards(_TAG, text):
        inside = text[match.end() : match.end() + 2 * MAX_ANSWER]
        end = _TAG_END.search(inside)
        inner = (inside[: end.start()] if end else inside).strip()
        if inner:
            nested = _explicit(inner) or _label(inner) or _phrase(inner)
            return match.start(), Extraction(nested[1].text if nested else inner, "answer_tag", end is not None)
    return None


def _last_label(text: str, label: re.Pattern[str], form: str) -> Found | None:
    for match in _backwards(label, text):
        if (found := _after(text, match.end(), form)) is not None:
            return match.start(), found
    return None


def _label(text: str) -> Found | None:
    return _last_label(text, _LABEL, "label")


def _phrase(text: str) -> Found | None:
    """The last `the answer is …`, `… is the answer` or `option B is correct`."""
    found = [_last_label(text, _PHRASE, "phrase")]
    for pattern in (_IS_THE_ANSWER, _IS_CORRECT):
        last = next(_backwards(pattern, text), None)
        # `This is the answer` points at something else.
        if last is not None and not re.fullmatch(r"(?:this|that|it|which|here|what)", last.group(1), re.IGNORECASE):
            found.append((last.start(1), Extraction(last.group(1).strip(), "phrase", True)))
    return max((part for part in found if part), key=lambda part: part[0], default=None)


def _backwards(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The last matches, the very last one first."""
    return reversed(list(pattern.finditer(text))[-MAX_MATCHES:])


def _after(text: str, start: int, form: str) -> Extraction | None:
    """The rest of the line, or the next line that has something; a display formula as a whole."""
    rest = text[start : start + MAX_ANSWER].lstrip(" \t\n*:：")
    for opening, closing in (("\\[", "\\]"), ("$$", "$$")):
        if rest.startswith(opening) and (end := rest.find(closing, 2)) > 0:
            return Extraction(rest[2:end].strip(), form, True)
    line, newline, _ = rest.partition("\n")
    said = first_sentence(line)
    cut = said.strip(" \t*").rstrip(".")
    if not re.search(r"\w", cut):
        return None
    if _LABELLED.match(cut) and (doubt := admission(line[len(said) :])):
        return Extraction(f"{cut}. {doubt}", form, True)
    return Extraction(_narrow(cut), form, bool(newline) or len(cut) + 1 < len(line.strip()))


def _narrow(text: str) -> str:
    """`the area of the square is 12` says 12, `2 bars have values above 4` says 2 bars, `no, there are none` no."""
    if (said := _YES_NO.match(text) or _COUNTED.match(text)) is not None:
        return said.group(said.lastindex or 0)
    if len(text.split()) > _WORDY and "\\begin" not in text and not _LABELLED.match(text):
        *_, last = _IS.split(text)
        return last
    return text
