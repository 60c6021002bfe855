"""Reads a judge's words: which steps it calls right or wrong. What can't be read is None, never a guess."""

from __future__ import annotations

import json
import re

RIGHT, WRONG = 1.0, 0.0

# A verdict ends what is said of the step: "is correct, because", not "the correct value" or "the right side".
_WORD = (
    r"(?:(?P<wrong>in[\s-]*correct|not[\s*_`-]+(?:correct|right|valid)|wrong|false|invalid|[✗✘❌✖])"
    r"|(?P<right>correct|right|true|valid|[✓✔✅]))"
    r"(?=\s*(?:(?m:$)|[^\w\s?])|\s+(?:step|and|as|because|due|for|given|here|since|so|too|again)\b)"
)
WORD = re.compile(rf"(?<!\w){_WORD}", re.IGNORECASE)
# What turns a verdict round, or takes half of it back.
DOUBT = re.compile(
    r"n['’]t\b|\b(?:not|no\s+longer|never|cannot|hardly|barely|neither|nor|half|part(?:ly|ially)?|mostly|largely|almost|nearly"
    r"|would|could|might|may|should|maybe|perhaps|possibly|probably|if|unless|whether)\b",
    re.IGNORECASE,
)
# A verdict that an answer names as such: "Verdict: correct", "\boxed{incorrect}".
NAMED = re.compile(
    rf"(?:\b(?:verdict|judge?ment|answer|conclusion)\b[\s*_`]*[:=][\s*_`\"']*|\\boxed\s*\{{\s*(?:\\text\s*\{{)?){_WORD}",
    re.IGNORECASE,
)
# What begins to speak of a step, or of a range of steps: "Step 3:", "**Steps 1-2**", "3.", "| 3 |", '"3":'. Within a line
# it comes after a separator. A number alone is one only with its full stop, colon or cell: "3 + 4" is not about step 3,
# and within a line only in a cell or as a key: "legs of 2, 3: right" isn't, either.
OPENING = re.compile(
    r"(?:^|[,;|{](?=\s*(?:[*_]*step|\d+\s*\||\"\d+\")))[\s>*_#|`(\[{\"'-]*(?P<step>steps?\s*)?"
    r"(?P<first>\d{1,3})(?:\s*(?:-|–|to|and)\s*(?P<last>\d{1,3}))?"
    r"(?(step)[\s:.)\]|*_`\"'=>\-–—]+|[*_`\"')]*\s*[.:)|][\s*_`\"'|]+)",
    re.IGNORECASE,
)
# "… incorrect", "… is correct": right behind the opening.
SAID = re.compile(rf"[\s*_`\"']*(?:(?:is|are|was)\s+)?[*_`\"']*{_WORD}", re.IGNORECASE)
ALL = re.compile(r"\W*(?:all|every|each)(?:\s+of)?(?:\s+the)?\s+steps?\s+(?:is|are)\s+(?P<word>\w+)\W*", re.IGNORECASE)
# A thought has an end, but where the prompt opens it no beginning; one that never ended holds no verdict either.
THOUGHT = re.compile(r".*</think>|<think>.*", re.DOTALL)


def read_one(text: str) -> float | None:
    """The verdict on one step: the last one named as such, else the only one on the last line."""
    answer = THOUGHT.sub("", text).strip()
    if named := list(NAMED.finditer(answer)):
        return _value(named[-1])
    return _only(answer.splitlines()[-1]) if answer else None


def read_all(text: str, steps: int) -> list[float | None]:
    """The verdicts on all steps of a solution, numbered from 1; what is said last of a step counts."""
    answer = THOUGHT.sub("", text).strip()
    verdicts: list[float | None] = [None] * steps

    def put(first: int, last: int, value: float | None) -> None:
        for number in range(first, last + 1):
            if 1 <= number <= steps and value is not None:
                verdicts[number - 1] = value

    for line in answer.splitlines():
        openings = list(OPENING.finditer(line))
        ends = [*(opening.start() for opening in openings[1:]), len(line)]
        for opening, end in zip(openings, ends, strict=False):
            rest = line[opening.end() : end]
            said = SAID.match(rest)
            # Of a sentence only the line's own step is believed: a list within it may be of anything.
            value = _value(said) if said else None if opening.start() else _only(rest)
            put(int(opening["first"]), int(opening["last"] or opening["first"]), value)
    if any(value is not None for value in verdicts) or not answer:
        return verdicts
    if of_all := ALL.fullmatch(answer.splitlines()[-1]):
        return [_only(of_all["word"])] * steps
    return _array(answer, steps) or verdicts


def _only(text: str) -> float | None:
    """The verdict of a text that holds one kind of verdict, and no doubt of it."""
    if DOUBT.search(WORD.sub(" ", text)):
        return None
    found = {_value(match) for match in WORD.finditer(text)}
    return found.pop() if len(found) == 1 else None


def _value(match: re.Match[str]) -> float:
    return WRONG if match["wrong"] else RIGHT


def _array(text: str, steps: int) -> list[float | None] | None:
    """The last JSON array of one entry a step: 1, 0, -1, true, false or words."""
    for raw in reversed(re.findall(r"\[[^\[\]]*\]", text)):
        try:
            entries = json.loads(raw)
        except ValueError:  # no JSON, or a number of thousands of digits
            continue
        if len(entries) == steps:
            return [_entry(entry) for entry in entries]
    return None


def _entry(entry: object) -> float | None:
    if isinstance(entry, str):
        return _only(entry)
    if isinstance(entry, (bool, int)) and entry in (1, 0, -1):
        return RIGHT if entry == 1 else WRONG
    return None
