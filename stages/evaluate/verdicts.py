"""Reads a judge's words: which steps it calls right or wrong. What can't be read is None, never a guess."""

from __future__ import annotations

import json
import re

RIGHT, WRONG = 1.0, 0.0

_WORD = (
    r"(?P<wrong>(?:not|in)[\s-]*correct|not\s+(?:right|valid)|incorrect|wrong|false|invalid|[✗✘❌✖])"
    r"|(?P<right>correct|right|true|valid|[✓✔✅])"
)
WORD = re.compile(rf"(?<!\w)(?:{_WORD})(?!\w)", re.IGNORECASE)
# A verdict that an answer names as such: "Verdict: correct", "\boxed{incorrect}".
NAMED = re.compile(
    rf"(?:\b(?:verdict|judge?ment|answer|conclusion)\b[\s*_`]*[:=][\s*_`\"']*|\\boxed\s*\{{\s*(?:\\text\s*\{{)?)(?:{_WORD})(?!\w)",
    re.IGNORECASE,
)
# "Step 3: incorrect", "3. correct", "| 3 | wrong |", '"3": "correct"'
NUMBERED = re.compile(
    rf"(?<![\w.+\-×=/])(?:steps?\s*)?(?P<first>\d{{1,3}})(?:\s*(?:-|–|to|and)\s*(?P<last>\d{{1,3}}))?"
    rf"[\s:.)\]|*_`\"'=>\-–—]+(?:(?:is|are|was)\s+)?(?:{_WORD})(?!\w)",
    re.IGNORECASE,
)
LINE = re.compile(r"[\s>*_#|`(\[\"'-]*step\s*(?P<number>\d{1,3})\b(?P<rest>.*)", re.IGNORECASE)
ALL = re.compile(r"\W*(?:all|every|each)(?:\s+of)?(?:\s+the)?\s+steps?\s+(?:is|are)\s+(?P<word>\w+)\W*", re.IGNORECASE)
THOUGHT = re.compile(r".*</think>", re.DOTALL)


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
        said = list(NUMBERED.finditer(line))
        for match in said:
            put(int(match["first"]), int(match["last"] or match["first"]), _value(match))
        if not said and (told := LINE.match(line)):
            put(int(told["number"]), int(told["number"]), _only(told["rest"]))
    if any(value is not None for value in verdicts) or not answer:
        return verdicts
    if of_all := ALL.fullmatch(answer.splitlines()[-1]):
        return [_only(of_all["word"])] * steps
    return _array(answer, steps) or verdicts


def _only(text: str) -> float | None:
    """The verdict of a text that holds one kind of verdict."""
    found = {_value(match) for match in WORD.finditer(text)}
    return found.pop() if len(found) == 1 else None


def _value(match: re.Match[str]) -> float:
    return WRONG if match["wrong"] else RIGHT


def _array(text: str, steps: int) -> list[float | None] | None:
    """The last JSON array of one entry a step: 1, 0, -1, true, false or words."""
    for raw in reversed(re.findall(r"\[[^\[\]]*\]", text)):
        try:
            entries = json.loads(raw)
        except json.JSONDecodeError:
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
