"""The truth about any step of any solution in the demo's language.

A solution is read line by line against the problem's plan, with the values that it holds so far (beliefs).

`step_ok` judges a step alone, given the beliefs before it: a reading equals the picture, operands are the
values held, a result is right, the final answer follows from them.
`prefix_ok` judges everything so far: no value that the rest of the solution still needs is wrong. A wrong
value that a later step corrects stops counting, and so does one that nothing depends on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from demo.benchmark import problem
from demo.reasoning import FINAL, IllFormed, Op, Plan, Read, Value, compute, paths, show

Kind = Literal["reading", "arithmetic", "final", "off_language"]

NUMBER = r"\\frac\{\d+\}\{\d+\}|\d+(?:\.\d+)?"
OPERATION = re.compile(rf"({NUMBER}) (×|\+|−|/|of) ({NUMBER}) = ({NUMBER})\.?")
READING = re.compile(rf"([A-Za-z][A-Za-z0-9 ]*) = ({NUMBER}|[A-Z])\.?")


@dataclass(frozen=True)
class StepTruth:
    """Is everything up to and with this step right, is this step right, and what kind of step is it?"""

    prefix_ok: bool
    step_ok: bool
    kind: Kind


def judge_steps(problem_id: str, steps: Sequence[str]) -> list[StepTruth]:
    """The truth about each step; `problem_id` is the id of the benchmark's row."""
    reader = _Reader(problem(problem_id).plan)
    return [reader.step(text) for text in steps]


def held_after(plan: Plan, steps: Sequence[str]) -> dict[str, Value]:
    """The values that a solution has written down after these steps."""
    reader = _Reader(plan)
    for text in steps:
        reader.step(text)
    return reader.beliefs


@dataclass
class _Reader:
    """Follows one solution; `beliefs` are the values that it has written down so far."""

    plan: Plan
    beliefs: dict[str, Value] = field(default_factory=dict)
    final: str | None = None

    def __post_init__(self) -> None:
        self.truth = next(paths(self.plan)).beliefs
        self.answer_keys = {key for key in self.truth if self._answer_uses(key)}

    def _answer_uses(self, key: str) -> bool:
        try:
            self.plan.answer({other: value for other, value in self.truth.items() if other != key})
        except KeyError:
            return True
        return False

    def step(self, text: str) -> StepTruth:
        """A step may hold several lines; it is wrong if one is, and takes the kind of the first wrong one."""
        judged = [self.line(line.strip()) for line in text.splitlines() if line.strip()]
        if not judged:
            return StepTruth(False, False, "off_language")
        kind = next((kind for ok, kind in judged if not ok), judged[-1][1])
        lost = judged[-1][1] == "off_language"
        return StepTruth(not lost and self.on_track(), all(ok for ok, _ in judged), kind)

    def line(self, text: str) -> tuple[bool, Kind]:
        """Judges one line and takes over its value."""
        if text.startswith(FINAL):
            self.final = text.removeprefix(FINAL).strip()
            return self.final == self.plan.answer(self.values()), "final"
        if match := OPERATION.fullmatch(text):
            left, right, result = (_value(match[k]) for k in (1, 3, 4))
            return self.operation(left, match[2], right, result)
        if match := READING.fullmatch(text):
            return self.reading(match[1], _value(match[2]))
        return False, "off_language"

    def values(self) -> dict[str, Value]:
        """The values held; what was never written down counts as read and computed rightly."""
        values: dict[str, Value] = {}
        for node in self.plan.nodes:
            if node.key in self.beliefs:
                values[node.key] = self.beliefs[node.key]
            elif isinstance(node, Read):
                values[node.key] = node.value
            else:
                left, right = node.operands(values)
                try:
                    values[node.key] = compute(node.symbol, left, right)
                except IllFormed:
                    values[node.key] = "?"
        return values

    def reading(self, key: str, value: Value) -> tuple[bool, Kind]:
        """Takes over a value read; what the plan does not need is only compared with the picture."""
        if key not in self.plan.picture:
            return False, "off_language"
        if any(isinstance(node, Read) and node.key == key for node in self.plan.nodes):
            self.beliefs[key] = value
        return value == self.plan.picture[key], "reading"

    def operation(self, left: Value, symbol: str, right: Value, result: Value) -> tuple[bool, Kind]:
        """Finds the node that a line computes and takes over its result."""
        nodes = [node for node in self.plan.nodes if isinstance(node, Op) and node.symbol == symbol]
        open_nodes = [node for node in nodes if node.key not in self.beliefs]
        done = [node for node in nodes if node.key in self.beliefs]
        # What the line says decides; where it fits nothing, it is taken for the next operation of its sort.
        values = self.values()
        fitting = [node for node in open_nodes + done[::-1] if node.operands(values) == (left, right)]
        candidates = fitting or open_nodes or done[::-1]
        if not candidates:
            return False, "off_language"
        node = candidates[0]
        self.beliefs[node.key] = result
        try:
            right_result = compute(symbol, left, right) == result
        except IllFormed:
            right_result = False
        return bool(fitting) and right_result, "arithmetic"

    def on_track(self) -> bool:
        """Is every value right that the rest of the solution needs?"""
        if self.final is not None:
            return self.final == self.plan.answer(self.truth)
        return all(self.beliefs[key] == self.truth[key] for key in self.needed() & self.beliefs.keys())

    def needed(self) -> set[str]:
        """What the operations still to come use, and what the answer is made of."""
        operations = [node for node in self.plan.nodes if isinstance(node, Op)]
        to_come = [node for node in operations if node.key not in self.beliefs]
        operands = {operand for node in to_come for operand in (node.left, node.right)}
        return self.answer_keys | {operand for operand in operands if isinstance(operand, str)}


def _value(text: str) -> Value:
    """The value that `show` wrote."""
    if text.startswith(r"\frac"):
        over, under = re.findall(r"\d+", text)
        fraction = Fraction(int(over), int(under)) if int(under) else Fraction(-1)
        # an unreduced fraction is another text than the right one, and other texts do not count as right
        return fraction if show(fraction) == text else text
    if "." in text:
        return Fraction(text)
    return int(text) if text.isdecimal() else text
