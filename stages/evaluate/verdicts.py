"""Reads a judge's words: which steps it calls right or wrong.

A verdict is read where it stands right behind what it is about ("Step 3: incorrect", "| 3 | wrong |", "Verdict: correct"), or
alone at the end of what is said of a step ("Step 3: 2 + 3 = 5 - correct"). Sentences aren't: what can't be read is None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from stages.split.thinking import ENDS, STARTS

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
    r"(?![*_`\"']*\s*[:：=]\s*[*_`\"']*(?:true|false|yes|no|[01])\b)"
    r"(?![^\W_]|[\s*_`\"']*(?:\?|or\b|/[\s*_`\"']*(?:in)?(?:correct|right|wrong|valid|true|false)))"
)
_MARKS = r"(?:[\s:.：)\]}|#*_`\"'“‘(\[{<=>$\-–—,\ufe0f]|\\[a-z]+\b)*+"
_SUBJECT = r"(?:(?:the|this)\s+step|it|this)\s+(?:is|was)\s+"
# What may stand between a step and its verdict: signs, a remark in brackets, a key, "the step is".
SAID = re.compile(
    rf"(?:\s*\([^()]*\))?{_MARKS}(?P<key>(?:verdict|label|judge?ment|correctness|(?:is_)?correct)[\"'*_`]*\s*[:=])?{_MARKS}"
    rf"(?:(?:so|thus|hence|therefore),?\s+)?(?:{_SUBJECT}|(?:is|are|was)\s+)?[*_`\"']*{_VERDICT}",
    re.IGNORECASE,
)
# A verdict of its own at the end.
LAST = re.compile(
    rf"(?:\s[-–—|]+|[:：→⇒(\[]|[,.;]\s*(?:so|thus|hence|therefore),?\s++(?:{_SUBJECT})?|[.;!]\s++(?:{_SUBJECT})?)"
    rf"[\s*_`\"']*(?!true|false){_VERDICT}[\W_]*$",
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
GAP = re.compile(r"(?:\\[a-z]++|[\W_]|\band\b|\bbut\b|\bwhile\b|\bwhereas\b)*", re.IGNORECASE)
NAMED = re.compile(
    r"(?:\b(?P<verdict>verdict|judge?ment)\b[\s*_`\"']*(?:[:：=>]|is\b)|\b(?:answer|conclusion)\b[\s*_`]*[:：=]|\\boxed\b)"
    r"(?:\s*(?:the\s+)?step(?:\s+\d+)?(?=\s+is\b|\s*[:：–—-]))?",
    re.IGNORECASE,
)
# What speaks of the whole solution, so that what follows is about no step.
CLOSING = re.compile(r"[\W_]*(?:final|overall|in\s+summary|summary)\b", re.IGNORECASE)
CONNECTS = ("and", "but", "while", "whereas", "for", "so", "thus", "hence", "then", "therefore")
TITLE_END = re.compile(r"[\s*_`]*(?:[^\w\s]|$)")
ALL = re.compile(r"\W*(?:\w+,\s+)?(?:all|every|each)(?:\s+of)?(?:\s+the)?\s+steps?\b", re.IGNORECASE)


def read_one(text: str) -> float | None:
    """The verdict on one step: the last one named as such, else the one that the last line begins or ends with."""
    answer = _spoken(text)
    names = list(NAMED.finditer(answer))
    for named in reversed([name for name in names if name["verdict"]] or names):
        said = SAID.match(answer, named.end())
        # An answer or a box may hold anything else, too.
        if said or named["verdict"]:
            return _value(said)
    if not answer:
        return None
    line = answer.splitlines()[-1]
    step = re.match(r"[\W_]*step\s*\d+", line, re.IGNORECASE)
    rest = line[step.end() :] if step else line
    return _agreed(SAID.match(rest), LAST.search(rest))


def read_all(text: str, steps: int) -> list[float | None]:
    """The verdicts on all steps of a solution, numbered from 1; what is said last of a step counts."""
    answer = _spoken(text)
    lines = answer.splitlines()
    verdicts: list[float | None] = [None] * steps
    # Where lines begin with "Step 1", other numbers are of lists.
    for worded in (True, False) if any(map(_names_step, lines)) else (False,):
        verdicts = _of_lines(lines, steps, worded)
        if any(value is not None for value in verdicts):
            return verdicts
    if not answer:
        return verdicts
    if of_all := ALL.match(lines[-1]):
        said = SAID.match(lines[-1], of_all.end())
        # "All steps are correct, except step 3" isn't read.
        return [_value(said) if said and not re.search(r"\w", lines[-1][said.end() :]) else None] * steps
    return _array(answer, steps) or verdicts


def _names_step(line: str) -> bool:
    step = STEP.search(line)
    return step is not None and step["word"] is not None and GAP.fullmatch(line, 0, step.start()) is not None


def _of_lines(lines: Sequence[str], steps: int, worded: bool) -> list[float | None]:
    verdicts: list[float | None] = [None] * steps
    section: Sequence[int] = ()
    for line in lines:
        found = _of_line(line, worded)
        # A step's verdict may stand on a line of its own below.
        if not found and (said := _alone(line)) is not None:
            found = [(section, said, True)]
        elif not found and CLOSING.match(line):
            section = ()
        for numbers, value, goes_on in found:
            section = numbers if goes_on else ()
            for number in numbers if value is not None else ():
                if 1 <= number <= steps:
                    verdicts[number - 1] = value
    return verdicts


def _of_line(line: str, worded: bool) -> list[tuple[Sequence[int], float | None, bool]]:
    """The steps that the line speaks of, with their verdicts, and whether the lines below may say more of them.

    A step without a verdict is one only if it is what the line begins with.
    """
    found: list[tuple[Sequence[int], float | None, bool]] = []
    openings = [step for step in STEP.finditer(line) if step["word"] or not worded]
    first = openings[0].start() if openings else 0
    # "✅ Step 1, ❌ Step 2": of such a line the marks behind a step are the next one's.
    in_front = GAP.fullmatch(line, 0, first) is not None and MARK.search(line, 0, first) is not None
    end = 0
    for index, step in enumerate(openings):
        before = line[end : step.start()]
        leads = GAP.fullmatch(before) is not None and (step["word"] or not found or found[-1][1] is not None)
        if step.start() < end or not (leads or (step["word"] and _ends_clause(before))):
            continue
        behind = openings[index + 1 :]
        near = behind[0].start() if behind else len(line)
        until = next((other.start() for other in behind if other["word"]), len(line))
        mark = MARK.search(before) if in_front else None
        said = None if mark else SAID.match(line, step.end())
        last = None if mark else LAST.search(line, step.end(), near if said else until)
        value = _value(mark) if mark else _agreed(said, last)
        if value is not None or said or (leads and end == 0 and (not step["word"] or _is_title(line, step))):
            found.append((_numbers(step), value, value is None or not (said or mark)))
            end = max((match.end() for match in (said or last,) if match), default=step.end())
    return found


def _is_title(line: str, step: re.Match[str]) -> bool:
    """Whether a line that begins with the step is a title. "Step 2 gave 5" is not."""
    return "#" in line[: step.start()] or TITLE_END.match(line, step.end()) is not None


def _numbers(step: re.Match[str]) -> Sequence[int]:
    first, last = int(step["first"]), int(step["last"] or step["first"])
    return (first, last) if re.search(r"and|&", step[0], re.IGNORECASE) else range(first, last + 1)


def _agreed(*matches: re.Match[str] | None) -> float | None:
    """The verdict, unless they differ: "Incorrect options are B, C - correct"."""
    values = {_value(match) for match in matches if match}
    return values.pop() if len(values) == 1 else None


def _ends_clause(text: str) -> bool:
    """Whether a new step may be spoken of behind this: "because step 2" isn't about step 2."""
    last = text.rstrip(" \t*_`\"'").split(" ")[-1].lower()
    return last.endswith(tuple(",;:|.{>)]/✅❌")) or last in CONNECTS


def _alone(line: str) -> float | None:
    """The verdict of a line that holds nothing else: "**Correct**", "Verdict: incorrect"."""
    said = SAID.match(line)
    return _value(said) if said and (said["key"] or not re.search(r"\w", line[said.end() :])) else None


def _spoken(text: str) -> str:
    """Without thoughts: one has an end, but where the prompt opens it no beginning, and one that never ended says nothing."""
    after = max((found.end() for found in ENDS.finditer(text)), default=0)
    unfinished = STARTS.search(text, after)
    return text[after : unfinished.start() if unfinished else None].strip()


def _value(match: re.Match[str] | None) -> float | None:
    return None if match is None else WRONG if match["wrong"] else RIGHT


def _array(text: str, steps: int) -> list[float | None] | None:
    """The last JSON array of one entry a step: 1, 0, -1, true, false or words."""
    for raw in reversed(re.findall(r"\[[^\[\]]*\]", text)):
        try:
            entries = json.loads(raw)
        except (ValueError, RecursionError):  # no JSON, or a number of thousands of digits
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
