"""HTML of what is shown: what templates need, made ready. Templates escape everything that is not marked as safe here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.browse import draws, formulas
from stages.browse.collection import StepView
from stages.browse.index import Index
from stages.browse.places import Opened
from stages.browse.query import Facet, Query, Selection

FOLDER = Path(__file__).parent
SHOWN_VALUES = 8
"""Values of a facet that are shown before a click."""
_QUESTION = 280
_SIGNS = {"+": "right", "-": "wrong", "0": "neutral", None: "not labelled"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A step in a strip: the class of its colour, and what that says."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A solution in a list."""

    status: str
    cells: Sequence[Cell]
    text: str
    matches: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A problem in a list."""

    number: int
    id: str
    question: str
    answer: str
    source: str
    strips: Sequence[Strip]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet: where a click leads, and how many solutions have it."""

    text: str
    count: int
    chosen: bool
    query: str


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of these pages."""
    return make_environment(FOLDER / "templates")


def make_environment(*folders: Path) -> Environment:
    """Templates with our filters; the first folder that has one of a name counts."""
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        formulas=text_html,
        number=lambda value: "–" if value is None else f"{value:,.0f}",
        short=short,
        percent=lambda value: "–" if value is None else f"{100 * value:.1f} %",
        decimal=lambda value, digits=2: "–" if value is None else f"{value:.{digits}f}",
        cell=cell_of,
        sign=lambda label: _SIGNS[label],
        groups=draws.groups,
        words=lambda text: str(text).replace("_", " "),
    )
    return made


def render(name: str, **values: Any) -> str:
    """A page or a part of one."""
    return environment().get_template(name).render(**values)


def text_html(text: str, longest: int = formulas.LONGEST) -> Markup:
    """A text with formulas; of a very long one the beginning."""
    shown, left_out = formulas.shortened(text, longest)
    found = formulas.to_html(shown)
    return (
        found + Markup(' <span class="cut">… {} more characters</span>').format(f"{left_out:,}") if left_out else found
    )


def short(value: float) -> str:
    """A count in at most four characters, where there is no room for more: `950`, `1.2k`, `34k`, `5.6M`."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.1f}{sign}" if value < 9.95 * size else f"{value / size:.0f}{sign}"
    return f"{value:.0f}"


def cell_of(step: StepView) -> str:
    """The class of a step's colour: by its score, or by its label where there is none."""
    if step.score is not None:
        return _score_class(step.score)
    return {"+": "s10", "-": "s0", "0": "sz"}.get(step.label or "", "sn")


def entries(index: Index, problems: Sequence[int], mask: Any) -> list[Entry]:
    """The problems of a page of a list."""
    made = []
    for number in problems:
        solutions = [int(one) for one in index.solutions_of(int(number))]
        first = solutions[0]
        made.append(
            Entry(
                int(number),
                index.problem_ids[int(number)].as_py(),
                formulas.shortened(index.question(int(number)), _QUESTION)[0],
                formulas.shortened(index.answer(int(number)), 60)[0],
                index.names["source"][int(index.numbers["source"][first])],
                [_strip(index, one, bool(mask[one])) for one in solutions[:16]],
            )
        )
    return made


def choices(facet: Facet, counts: Sequence[int], asked: Query) -> list[Choice]:
    """The values of a facet to choose from: the chosen ones, and those that some solution has."""
    found = [
        Choice(text, count, asked.holds(facet.key, key), asked.toggled(facet.key, key).address() or "?")
        for (key, text), count in zip(facet.values, counts, strict=True)
        if count or asked.holds(facet.key, key)
    ]
    many = facet.key in ("source", "policy")
    return sorted(found, key=lambda one: (not one.chosen, -one.count)) if many else found


def neighbours(selection: Selection, number: int) -> tuple[int | None, int | None, int | None]:
    """The problem before and after one in the order of a list, and where it stands in it, from 1; null where there is none."""
    order = selection.problems
    places = (order == number).nonzero()[0]
    if not len(places):
        return None, None, None
    at = int(places[0])
    before = int(order[at - 1]) if at else None
    after = int(order[at + 1]) if at + 1 < len(order) else None
    return before, after, at + 1


def navigation(opened: Sequence[Opened], number: int | None, what: str) -> Mapping[str, Any]:
    """What every page's head says."""
    return {"opened": opened, "current": number, "what": what}


def _strip(index: Index, solution: int, matches: bool) -> Strip:
    labels = index.table["labels"][solution].as_py()
    scores = index.table["scores"][solution].as_py()
    steps = zip(range(1, 25), labels, scores, strict=False)
    cells = [Cell(_cell(label, score), _told(number, label, score)) for number, label, score in steps]
    wrong = next((number for number, label in enumerate(labels, 1) if label == 0), None)
    status = _status(index, solution)
    told = f"{len(labels)} steps, " + (f"first wrong step {wrong}" if wrong else "no wrong step")
    return Strip(status, cells, f"answer {status.replace('_', ' ')}, {told}", matches)


def _status(index: Index, solution: int) -> str:
    from stages.browse.collection import STATUSES

    return STATUSES[int(index.numbers["status"][solution])]


def _told(number: int, label: int, score: float | None) -> str:
    share = "" if score is None or math.isnan(score) else f"{score:.2f}, "
    return f"step {number}: {share}{_SIGNS[{1: '+', 0: '-', -1: '0'}.get(label)]}"


def _cell(label: int, score: float | None) -> str:
    if score is not None and not math.isnan(score):
        return _score_class(score)
    return {1: "s10", 0: "s0", -1: "sz"}.get(label, "sn")


def _score_class(score: float) -> str:
    # Any score above 0 shows, as does any below 1.
    return f"s{min(max(math.ceil(score * 10 - 1e-5), int(score > 0)), 10 if score >= 1 else 9)}"
