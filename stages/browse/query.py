"""What a reader asks for, as the address says it, and the solutions and problems that answer it. Pure but for the texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.records import VERDICT_STATUSES
from stages.browse.collection import ORIGINS, STATUSES
from stages.browse.features import NOTABLE
from stages.browse.index import Index

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
PAGE = 24
"""Problems of a page."""
_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LENGTHS = ((1, 3), (4, 6), (7, 9), (10, 12), (13, None))
_LATEST = 12
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
SORTS = {
    "": "dataset order",
    "suspicious": "most suspicious first",
    "lowest": "lowest score first",
    "early": "earliest wrong step first",
    "long": "longest first",
    "short": "shortest first",
}


@dataclass(frozen=True)
class Facet:
    """A property to filter by: the number of each solution's value among `values` (key and text), or a bit for each."""

    key: str
    title: str
    values: Sequence[tuple[str, str]]
    codes: npt.NDArray[np.int64]
    bits: bool = False

    def mask(self, chosen: Sequence[str]) -> Bools:
        """The solutions that have any of these values."""
        keys = [key for key, _ in self.values]
        numbers = [keys.index(key) for key in chosen if key in keys]
        if self.bits:
            return (self.codes & sum(1 << number for number in numbers)) > 0
        return np.isin(self.codes, numbers)

    def counts(self, mask: Bools) -> list[int]:
        """How many of the solutions in `mask` have each value."""
        codes = self.codes[mask]
        if self.bits:
            return [int(np.count_nonzero(codes >> number & 1)) for number in range(len(self.values))]
        found = np.bincount(codes[codes >= 0], minlength=len(self.values))
        return [int(number) for number in found[: len(self.values)]]


@dataclass(frozen=True)
class Query:
    """`chosen` has the values of each facet that is filtered by; `low` and `high` bound a solution's lowest score."""

    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()
    text: str = ""
    low: float | None = None
    high: float | None = None
    sort: str = ""
    page: int = 1

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]], keys: Sequence[str]) -> Query:
        """From the pairs of an address; what means nothing is left out."""
        chosen = {key: tuple(dict.fromkeys(value for name, value in pairs if name == key)) for key in keys}
        last = dict(pairs)
        page = last.get("page", "")
        return cls(
            tuple((key, values) for key, values in chosen.items() if values),
            last.get("q", "").strip()[:500],
            _number(last.get("low")),
            _number(last.get("high")),
            last.get("sort", "") if last.get("sort", "") in SORTS else "",
            int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 9 and int(page) else 1,
        )

    def pairs(self) -> list[tuple[str, str]]:
        """As they stand in an address."""
        found = [(key, value) for key, values in self.chosen for value in values]
        found += [("q", self.text)] if self.text else []
        found += [(name, f"{value:g}") for name, value in (("low", self.low), ("high", self.high)) if value is not None]
        found += [("sort", self.sort)] if self.sort else []
        return found + ([("page", str(self.page))] if self.page > 1 else [])

    def address(self) -> str:
        """The part of an address behind `?`, with the mark; empty if nothing is asked for."""
        pairs = self.pairs()
        return f"?{urlencode(pairs)}" if pairs else ""

    def at(self, page: int) -> Query:
        return replace(self, page=page)

    def toggled(self, key: str, value: str) -> Query:
        """The same with one value of a facet more, or less."""
        chosen = dict(self.chosen)
        held = chosen.get(key, ())
        chosen[key] = tuple(one for one in held if one != value) if value in held else (*held, value)
        return replace(self, chosen=tuple((name, values) for name, values in chosen.items() if values), page=1)

    def holds(self, key: str, value: str) -> bool:
        return value in dict(self.chosen).get(key, ())


@dataclass(frozen=True)
class Selection:
    """`solutions` says which ones match, `problems` has their problems in the order asked for, `counts` by facet and value."""

    solutions: Bools
    problems: Ints
    counts: Mapping[str, Sequence[int]]

    @property
    def num_solutions(self) -> int:
        return int(np.count_nonzero(self.solutions))

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.problems) // PAGE))


def facets(index: Index) -> list[Facet]:
    """What this index can be filtered by; a facet with a single value is left out."""
    made = list(_facets(index))
    return [
        one
        for one in made
        if sum(count > 0 for count in one.counts(np.ones(len(index), bool))) > (0 if one.bits else 1)
    ]


def select(index: Index, asked: Query, known: Sequence[Facet], text: Bools | None = None) -> Selection:
    """What answers a query; `text` are the solutions that hold its text."""
    others = _range(index, asked)
    if text is not None:
        others &= text
    chosen = dict(asked.chosen)
    masks = {one.key: one.mask(chosen[one.key]) for one in known if one.key in chosen}
    counts: dict[str, Sequence[int]] = {}
    for one in known:
        # Beside a filter stands what it would leave, given all the others.
        mask = others.copy()
        for key, other in masks.items():
            if key != one.key:
                mask &= other
        counts[one.key] = one.counts(mask)
    whole = others
    for other in masks.values():
        whole = whole & other
    return Selection(whole, _ordered(index, whole, asked.sort), counts)


def search(index: Index, text: str) -> Bools:
    """The solutions in whose text, question, answer or id every word stands, in any case; `"…"` holds words together."""
    # As a pattern: Arrow's search for a pattern's letters is ten times as fast as its own for plain text.
    patterns = [_PUNCTUATION.sub(r"\\\g<0>", word) for word in words(text)]
    in_problem = [_holds(index.questions, pattern) for pattern in patterns]
    found = np.ones(len(index), bool)
    start = 0
    for batch in index.text_batches():
        rows = slice(start, start + len(batch))
        for pattern, problems in zip(patterns, in_problem, strict=True):
            found[rows] &= _holds(batch, pattern) | problems[index.problem[rows]]
        start += len(batch)
    return found


def _holds(texts: pa.Array, pattern: str) -> Bools:
    mask: Bools = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return mask


def words(text: str) -> list[str]:
    """The words of a search, in lower case."""
    pieces = text.lower().split('"')
    found = [word for number, piece in enumerate(pieces) for word in ([piece.strip()] if number % 2 else piece.split())]
    return [word for word in found if word]


def _ordered(index: Index, mask: Bools, sort: str) -> Ints:
    """The problems of the solutions in `mask`, each at its first place."""
    solutions = np.flatnonzero(mask)
    problems = index.problem[solutions]
    if not sort:
        return np.unique(problems)
    keys = {
        "suspicious": lambda: -index.numbers["suspicion"],
        "lowest": lambda: np.nan_to_num(index.numbers["lowest"], nan=np.inf),
        "early": lambda: np.where(
            index.numbers["first_wrong"] > 0, index.numbers["first_wrong"], np.iinfo(np.int32).max
        ),
        "long": lambda: -index.numbers["characters"],
        "short": lambda: index.numbers["characters"],
    }
    order = np.argsort(keys[sort]()[solutions], kind="stable")
    _, first = np.unique(problems[order], return_index=True)
    return problems[order][np.sort(first)]


def _range(index: Index, asked: Query) -> Bools:
    mask = np.ones(len(index), bool)
    lowest = index.numbers["lowest"]
    if asked.low is not None:
        mask &= lowest >= asked.low
    if asked.high is not None:
        mask &= lowest <= asked.high
    return mask


def _facets(index: Index) -> Iterator[Facet]:
    numbers = {name: values.astype(np.int64) for name, values in index.numbers.items() if name != "lowest"}
    named = {name: [(value, value or "not said") for value in index.names[name]] for name in ("source", "policy")}
    yield Facet("source", "source", named["source"], numbers["source"])
    yield Facet("worth", "worth a look", list(NOTABLE.items()), numbers["notable"], bits=True)
    first = numbers["first_wrong"]
    pattern = np.select([first > 1, first == 1, first == 0], [1, 2, 0], 3)
    patterns = [
        ("right", "all right"),
        ("mixed", "right, then wrong"),
        ("wrong", "wrong from the start"),
        ("none", "no labels"),
    ]
    yield Facet("pattern", "labels", patterns, pattern)
    yield Facet(
        "verdict", "verdict on the answer", [(name, name.replace("_", " ")) for name in STATUSES], numbers["status"]
    )
    places = [*((str(n), f"step {n}") for n in range(1, _LATEST)), ("later", f"step {_LATEST} or later")]
    yield Facet("first", "first wrong step", places, np.where(first > 0, np.minimum(first, _LATEST) - 1, -1))
    lowest = index.numbers["lowest"]
    bins = np.where(
        np.isnan(lowest), -1, np.where(lowest <= 0, 0, np.searchsorted(_EDGES, np.nan_to_num(lowest), side="left"))
    )
    scores = [
        ("0", "0"),
        *((f"{high:g}", f"above {low:g} to {high:g}") for low, high in pairwise(_EDGES)),
    ]
    yield Facet("score", "lowest score", scores, bins)
    length = np.searchsorted([low for low, _ in _LENGTHS], numbers["steps"], side="right") - 1
    yield Facet(
        "steps",
        "steps",
        [(f"{low}", f"{low} to {high}" if high else f"{low} or more") for low, high in _LENGTHS],
        length,
    )
    yield Facet(
        "origin", "labels by", [(name, name.replace("_", " ")) for name in ORIGINS], numbers["origins"], bits=True
    )
    draws = np.where(numbers["draws"] < 0, 0, numbers["draws"])
    yield Facet(
        "draws", "has a draw that is", [(name, name.replace("_", " ")) for name in VERDICT_STATUSES], draws, bits=True
    )
    yield Facet("policy", "policy", named["policy"], numbers["policy"])
    yield Facet(
        "overlap", "overlap with a benchmark", [("no", "none found"), ("yes", "flagged")], numbers["contamination"]
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
