"""The verification modes: one file each, each a pure function that compares a gold answer with a given one.

A new mode is a file in this folder and an entry of `MODES`: settings, rows and `visualprm verify` take its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.verify.finding import Finding
from stages.verify.modes import anls, choice, date, exact, list, math, number, relaxed, text

EVERY = "every mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How two answers are compared.

    `compare` gets the gold and the answer, and if it `takes_options` also the texts of the options. `settles` names
    the modes that have nothing to add once this one finds that the answers differ, or `EVERY` mode.
    """

    compare: Callable[..., Finding]
    settles: frozenset[str] = frozenset()
    takes_options: bool = False

    def find(self, gold: str, answer: str, options: Sequence[str]) -> Finding:
        """What the mode says of two answers."""
        return self.compare(gold, answer, options) if self.takes_options else self.compare(gold, answer)


MODES: dict[str, Mode] = {
    "exact": Mode(compare=exact.compare),
    # Two different options, or two different numbers, stay so whatever else their texts may look like.
    "choice": Mode(compare=choice.compare, settles=frozenset({EVERY}), takes_options=True),
    "number": Mode(compare=number.compare, settles=frozenset({"date", "text", "list", "math"})),
    "date": Mode(compare=date.compare),
    "text": Mode(compare=text.compare),
    "list": Mode(compare=list.compare),
    "relaxed": Mode(compare=relaxed.compare),
    "anls": Mode(compare=anls.compare),
    "math": Mode(compare=math.compare),
}
"""In the order in which they are tried: cheapest first, and `math` last, which alone is not bounded."""
