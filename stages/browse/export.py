"""Some problems as one file that needs no server: pictures, styles and keys are inside, and nothing else is run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import pyarrow.compute as pc
from markupsafe import Markup

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.store import one_line_io_errors
from pipeline.version import version_line
from stages.browse import pages, pictures
from stages.browse.places import Opened
from stages.browse.query import Query, search, select

MOST = 100
"""Problems of a page."""
_SIDE = 1600
"""The longer side of a picture inside a page; a larger one is drawn anew."""
_LARGE = 600_000


def export(opened: Opened | None, path: str, ids: Sequence[str], filter: str, most: int, note: str) -> str:
    """Writes the page, and returns a line about it.

    Args:
        ids: beginnings of problems' or solutions' ids; without any, the first problems of what `filter` shows.
        filter: as in the address of a list.

    Raises:
        UserError: there is nothing to export, or an id is not here.
    """
    if opened is None:
        raise UserError("--export: name a dataset, a run, a pool or a bench to export from")
    if not 1 <= most <= MOST:
        raise UserError(f"--most {most}: a page has from 1 to {MOST} problems")
    numbers = _by_ids(opened, ids) if ids else _by_filter(opened, filter)
    if not numbers:
        raise UserError(f"{opened.collection.uri}: nothing is like that: try other filters, or none")
    shown = numbers[:most]
    problems = [opened.problem(number) for number in shown]
    sources = sorted({problem.source for problem in problems})
    facts = [
        ("from", opened.collection.name),
        ("problems", f"{len(shown):,} of {len(numbers):,}" + (" chosen" if ids or filter else "")),
        *([("chosen by", filter)] if filter and not ids else []),
        ("sources", ", ".join(sources)),
        (
            "policies",
            ", ".join(sorted({one.policy for problem in problems for one in problem.solutions if one.policy})),
        ),
        *how(opened),
        ("licence", "Questions and pictures are under the licences of their sources." + (f" {note}" if note else "")),
        ("page", f"written by {version_line().split(',')[0]}, visualprm browse --export"),
    ]
    style = (pages.FOLDER / "static" / "browse.css").read_text(encoding="utf-8")
    script = (pages.FOLDER / "static" / "browse.js").read_text(encoding="utf-8")
    text = pages.render(
        "export.html",
        title=f"{opened.collection.name}: {len(shown)} problem{'s' if len(shown) > 1 else ''}",
        rule=opened.label_rule,
        facts=[(name, value) for name, value in facts if value],
        problems=problems,
        pictures=[[_inside(data) for data in opened.pictures(number)] for number in shown],
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    with one_line_io_errors(path):
        atomic.write(path, text)
    return f"{path}: {len(shown)} problems, {len(text.encode()) / 1e6:.1f} MB"


def how(opened: Opened) -> list[tuple[str, str]]:
    """How what is shown was made, as far as its statistics say."""
    figures: Mapping[str, Any] = opened.collection.figures()
    found = [f"{one.get('policy_model')}: {one.get('strategy')}" for one in figures.get("policies", ())]
    rule = figures.get("label")
    made = [("made by", "; ".join(dict.fromkeys(found)))] if found else []
    made += [("labels", json.dumps(rule, sort_keys=True))] if rule else []
    critics = ", ".join(critic.name for critic in opened.critics)
    return made + ([("critics", critics)] if critics else [])


def _by_ids(opened: Opened, ids: Sequence[str]) -> list[int]:
    found: list[int] = []
    for wanted in ids:
        # A solution's id begins with its problem's.
        hits = (
            pc.starts_with(opened.index.problem_ids, wanted.partition("/")[0])
            .to_numpy(zero_copy_only=False)
            .nonzero()[0]
        )
        if not len(hits):
            raise UserError(f"--id {wanted}: no problem's id begins so in {opened.collection.uri}")
        found += [int(number) for number in hits if int(number) not in found]
    return found


def _by_filter(opened: Opened, filter: str) -> list[int]:
    pairs = parse_qsl(filter.partition("?")[2] if "?" in filter else filter)
    asked = Query.parse(pairs, [facet.key for facet in opened.facets])
    if filter and not asked.pairs():
        raise UserError(
            f"--filter {filter}: names no filter of {opened.collection.uri}: copy the part behind `?` of a link"
        )
    text = search(opened.index, asked.text) if asked.text else None
    return [int(number) for number in select(opened.index, asked, opened.facets, text).problems]


def _inside(data: bytes) -> str:
    found, kind = pictures.small(data, _SIDE) if len(data) > _LARGE else pictures.whole(data)
    return f"data:{kind};base64,{base64.b64encode(found).decode()}"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
