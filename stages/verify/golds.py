"""What the gold answers of a multiple choice mean: letters, texts of options, or their indices.

One row seldom tells: `1` of `1, 2, 3` can be three different options. So the reading is a fact of the whole source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import get_args

from pipeline.records import GoldReading
from stages.verify.modes.choice import gold_options, letters
from stages.verify.notation import plain
from stages.verify.options import Conflict, by_letters, by_text, canonical, chosen, real_texts

READINGS: tuple[GoldReading, ...] = ("letter", "text", "index0", "index1")
"""In the order of preference among readings that are the same on all rows."""
assert set(READINGS) == set(get_args(GoldReading))
MAX_EXAMPLES = 3
"""Rows that a refusal shows."""
_INDEX = re.compile(r"\d{1,3}(?=(?:\.0)?$)")


def read_gold(gold: str, options: tuple[str, ...], reading: GoldReading) -> frozenset[int] | None:
    """The options (0 is A) that a gold stands for; None if it names none of them."""
    if reading in ("index0", "index1"):
        match = _INDEX.match(gold.strip())
        index = int(match[0]) - (reading == "index1") if match else -1
        return frozenset({index}) if 0 <= index < len(options) else None
    if reading == "letter":
        return _by_letter(gold, options)
    return _by_text(gold, options)


def is_index(gold: str) -> bool:
    """Whether a gold could be the place of an option."""
    return _INDEX.match(gold.strip()) is not None


def is_named(gold: str, options: tuple[str, ...]) -> bool:
    """Whether a gold is the letter or the text of an option."""
    return read_gold(gold, options, "letter") is not None or read_gold(gold, options, "text") is not None


def _by_letter(gold: str, options: tuple[str, ...]) -> frozenset[int] | None:
    if (found := by_letters(plain(gold), len(options))) is not None:
        return found
    texts = real_texts(options)
    try:
        # `B. pear`, but not `pear` alone
        return chosen(gold, options) if by_text(plain(gold), texts) is None else None
    except Conflict:
        return None


def _by_text(gold: str, options: tuple[str, ...]) -> frozenset[int] | None:
    texts = real_texts(options)
    if plain(gold) in texts and plain(gold):
        return canonical(frozenset({texts.index(plain(gold))}), options)
    index = by_text(plain(gold), texts)
    return None if index is None else frozenset({index})


def spelled(indices: frozenset[int], options: tuple[str, ...], given: str | None = None) -> str:
    """A gold that stands for these options, and for no others: as `given` if that does, else by letters."""
    named = letters(indices)
    spellings = [given, ", ".join(named), "".join(f"({letter})" for letter in named)]
    if len(indices) == 1:
        # The last ones are for options that are themselves called by letters of others.
        spellings += [options[min(indices)], f"Option {named[0]}", f"{named[0]}.", f"{named[0]})", f"[{named[0]}]"]
    fitting = (text for text in spellings if text and _means(text, options) == canonical(indices, options))
    return next(fitting, ", ".join(named))


def _means(gold: str, options: tuple[str, ...]) -> frozenset[int] | None:
    try:
        found = gold_options(gold, options)
    except Conflict:
        return None
    return None if found is None else canonical(found, options)


@dataclass
class Golds:
    """The golds of a source's rows with options, and which readings fit them."""

    rows: int = 0
    fits: Counter[GoldReading] = field(default_factory=Counter)
    differ: dict[tuple[GoldReading, GoldReading], list[str]] = field(default_factory=dict)
    """Rows that two readings both fit and read differently."""
    amiss: dict[GoldReading, list[str]] = field(default_factory=dict)
    """Rows that a reading does not fit."""

    def add(self, name: str, golds: Sequence[str], options: tuple[str, ...]) -> None:
        """Counts a row, whose answer is any or all of `golds`."""
        self.rows += 1
        shown = (
            f"{name}: {_short(' | '.join(golds))} of {_short(' | '.join(option or '(no text)' for option in options))}"
        )
        found: dict[GoldReading, list[frozenset[int]]] = {}
        for reading in READINGS:
            read = [read_gold(gold, options, reading) for gold in golds]
            indices = [canonical(one, options) for one in read if one is not None]
            if len(indices) == len(golds):
                found[reading] = indices
                self.fits[reading] += 1
            else:
                _note(self.amiss.setdefault(reading, []), shown)
        for pair in combinations(found, 2):
            if found[pair[0]] != found[pair[1]]:
                _note(self.differ.setdefault(pair, []), shown)

    def reading(self) -> GoldReading | None:
        """The one reading of all rows; None if there is none, or if two that fit all differ on some."""
        whole = self._whole()
        if not whole or any(pair in self.differ for pair in combinations(whole, 2)):
            return None
        return whole[0]

    def are_indices(self) -> bool:
        """Whether a place fits all rows, and the options' texts don't."""
        whole = self._whole()
        return "text" not in whole and ("index0" in whole or "index1" in whole)

    def complaint(self) -> str:
        """Why there is no one reading, with rows that show it and what to set."""
        whole = self._whole()
        counts = ", ".join(f"{reading} {self.fits[reading]:,}" for reading in READINGS)
        if len(whole) > 1:
            told = f"{' and '.join(whole)} all fit" if len(whole) > 2 else f"{whole[0]} and {whole[1]} both fit"
            why = f"{told} the {self.rows:,} rows with options and mean different ones"
            examples = next(rows for pair, rows in self.differ.items() if set(pair) <= set(whole))
            mend = f"set {_either(whole)}"
        elif whole:
            why = f"only {whole[0]} fits all {self.rows:,} rows with options ({counts})"
            examples = next(self.amiss[reading] for reading in READINGS if reading in self.amiss)
            mend = f"set `gold: {whole[0]}`"
        else:
            why = f"no reading fits all {self.rows:,} rows with options ({counts})"
            best = max(READINGS, key=lambda reading: self.fits[reading])
            examples = self.amiss[best]
            mend = f"set {_either(READINGS)}; the rows that it does not fit are then refused one by one"
        return f"{why}; {'; '.join(examples)}: {mend}"

    def _whole(self) -> list[GoldReading]:
        return [reading for reading in READINGS if self.fits[reading] == self.rows]


def count_golds(rows: Iterable[tuple[str, Sequence[str], tuple[str, ...]]]) -> Golds:
    """The golds of rows given as name, golds, options."""
    found = Golds()
    for name, golds, options in rows:
        found.add(name, golds, options)
    return found


def _either(readings: Sequence[GoldReading]) -> str:
    *others, last = (f"`gold: {reading}`" for reading in readings)
    return f"{', '.join(others)} or {last}"


def _note(rows: list[str], shown: str) -> None:
    if len(rows) < MAX_EXAMPLES:
        rows.append(shown)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
