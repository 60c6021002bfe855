"""Reads a judge's words: which steps it calls right or wrong.

A verdict is read where it stands right behind what it is about ("Step 3: incorrect", "| 3 | wrong |", "Verdict: correct"), or
alone at the end of what is said of a step ("Step 3: 2 + 3 = 5 - correct"). Sentences aren't: what can't be read is None.
"""

from __future__ import annotations

import json
import re

RIGHT, WRONG = 1.0, 0.0

# "incorrect sum" can only be a verdict, "correct sum" may begin a sentence: a right word must end what is said.
_RIGHT_ENDS = (
    r"(?=\s*(?:(?m:$)|_|[^\w\s])|\s+\d+\s*[.:)]"
    r"|\s+(?:steps?|and|but(?=\s+step)|while|whereas|as|because|due|for|given|here|since|so|too)\b)"
)
# A choice of two ("correct/incorrect", as a prompt has it) is no verdict, nor is a question.
_VERDICT = (
    r"(?<![^\W_])(?:(?P<wrong>in[\s-]*correct|not[\s*_`-]+(?:correct|right|valid)|wrong|false|invalid|[✗✘❌✖])"
    rf"|(?P<right>(?:correct|right|true|valid){_RIGHT_ENDS}|[✓✔✅]))"
    r"(?![^\W_]|[\s*_`\"']*(?:\?|or\b|/[\s*_`\"']*(?:in)?(?:correct|right|wrong|valid|true|false)))"
)
_MARKS = r"(?:[\s:.：)\]|*_`\"'“‘(\[{<=>$\-–—,\ufe0f]|\\[a-z]+\b)*+"
_SUBJECT = r"(?:(?:the|this)\s+(?:step|statement|solution|calculation)|it|this)\s+(?:is|was)\s+"
# What may stand between a step and its verdict: signs, a remark in brackets, a key, "the step is".
SAID = re.compile(
    rf"(?:\s*\([^()]*\))?{_MARKS}(?:(?:verdict|label|judge?ment|correctness)[\"'*_`]*\s*[:=])?{_MARKS}"
    rf"(?:(?:so|thus|hence|therefore),?\s+)?(?:{_SUBJECT}|(?:is|are|was)\s+)?[*_`\"']*{_VERDICT}",
    re.IGNORECASE,
)
# A verdict of its own at the end.
LAST = re.compile(
    rf"(?:\s[-–—|]+|[:：→⇒(\[]|[,.;]\s*(?:so|thus|hence|therefore),?\s+(?:{_SUBJECT})?|[.;!]\s+(?:{_SUBJECT})?)"
    rf"[\s*_`\"']*{_VERDICT}[\W_]*$",
    re.IGNORECASE,
)
MARK = re.compile(r"(?P<wrong>[✗✘❌✖])|(?P<right>[✓✔✅])")
# A step, or a range of steps. A number without the word is one only with a full stop, bracket, colon or cell of its own.
STEP = re.compile(
    r"(?:(?P<word>\bsteps?[\s_#\"':]*)|(?<![\w.,+\-×*/=^]))"
    r"(?P<first>\d{1,3})(?:\s*(?:-|–|to|through|and|&)\s*(?:steps?\s*)?(?P<last>\d{1,3}))?"
    r"(?(word)(?![\w/×])|(?=[*_`\"']*\s*(?:[.:：)|\]](?!\d)|[-–—]\s*[*_`]*(?:in)?correct)))",
    re.IGNORECASE,
)
# What may stand between a verdict and the next step, or before the first.
GAP = re.compile(r"(?:[\W_]|\band\b|\bbut\b|\bwhile\b|\bwhereas\b)*", re.IGNORECASE)
NAMED = re.compile(
    r"(?:\b(?P<verdict>verdict|judge?ment)\b[\s*_`\"']*(?:[:：=>]|is\b)|\b(?:answer|conclusion)\b[\s*_`]*[:：=]|\\boxed\b)"
    r"(?:\s*(?:the\s+)?step(?:\s+\d+)?(?=\s+is\b))?",
    re.IGNORECASE,
)
ALL = re.compile(r"\W*(?:\w+,\s+)?(?:all|every|each)(?:\s+of)?(?:\s+the)?\s+steps?\b", re.IGNORECASE)


def read_one(text: str) -> float | None:
    """The verdict on one step: the last one named as such, else the one that the last line begins or ends with."""
    answer = _spoken(text)
    for named in reversed(list(NAMED.finditer(answer))):
        said = SAID.match(answer, named.end())
        # An answer or a box may hold anything else, too.
        if said or named["verdict"]:
            return _value(said)
    if not answer:
        return None
    line = answer.splitlines()[-1]
    step = re.match(r"[\W_]*step\s*\d+", line, re.IGNORECASE)
    rest = line[step.end() :] if step else line
    return _value(SAID.match(rest) or LAST.search(rest))


def read_all(text: str, steps: int) -> list[float | None]:
    """The verdicts on all steps of a solution, numbered from 1; what is said last of a step counts."""
    answer = _spoken(text)
    verdicts: list[float | None] = [None] * steps
    section: range = range(0)
    for line in answer.splitlines():
        found = _of_line(line)
        # A step's verdict may stand on a line of its own below.
        if not found and (said := _alone(line)) is not None:
            found = [(section, said)]
        for numbers, value in found:
            section = numbers
            for number in numbers if value is not None else ():
                if 1 <= number <= steps:
                    verdicts[number - 1] = value
    if any(value is not None for value in verdicts) or not answer:
        return verdicts
    last_line = answer.splitlines()[-1]
    if of_all := ALL.match(last_line):
        return [_value(SAID.match(last_line, of_all.end()))] * steps
    return _array(answer, steps) or verdicts


def _of_line(line: str) -> list[tuple[range, float | None]]:
    """The steps that the line speaks of, with their verdicts; of one without a verdict only what the line begins with."""
    found: list[tuple[range, float | None]] = []
    openings = list(STEP.finditer(line))
    end = 0
    for index, step in enumerate(openings):
        before = line[end : step.start()]
        leads = GAP.fullmatch(before) is not None and (step["word"] or not found or found[-1][1] is not None)
        if step.start() < end or not (leads or (step["word"] and _ends_clause(before))):
            continue
        until = next((other.start() for other in openings[index + 1 :] if other["word"]), len(line))
        said = SAID.match(line, step.end()) or LAST.search(line, step.end(), until) or MARK.search(before)
        if said or (leads and end == 0):
            numbers = range(int(step["first"]), int(step["last"] or step["first"]) + 1)
            found.append((numbers, _value(said)))
            end = max(said.end() if said else 0, step.end())
    return found


def _ends_clause(text: str) -> bool:
    """Whether a new step may be spoken of behind this: "because step 2" isn't about step 2."""
    last = text.rstrip(" \t*_`\"'").split(" ")[-1].lower()
    return last.endswith(tuple(",;:|.{>)]/✅❌")) or last in ("and", "but", "while", "whereas", "for")


def _alone(line: str) -> float | None:
    """The verdict of a line that holds nothing else: "**Correct**", "Verdict: incorrect"."""
    said = SAID.match(line)
    return _value(said) if said and not re.search(r"\w", line[said.end() :]) else None


def _spoken(text: str) -> str:
    """Without thoughts: one has an end, but where the prompt opens it no beginning, and one that never ended says nothing."""
    return text.rpartition("</think>")[2].partition("<think>")[0].strip()


def _value(match: re.Match[str] | None) -> float | None:
    return None if match is None else WRONG if match["wrong"] else RIGHT


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
        return _value(SAID.match(entry))
    if isinstance(entry, (bool, int)) and entry in (1, 0, -1):
        return RIGHT if entry == 1 else WRONG
    return None
