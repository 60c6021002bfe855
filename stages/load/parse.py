"""The first stage: rows of a benchmark in, problems out, and every row that can't be used with its reason.

What a source may look like is in `stages/sources`; this file says what becomes of its rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from pipeline.inputs import searched
from pipeline.records import GoldReading, Problem, Rejected
from stages.load.ahead import in_order
from stages.load.golds import gold_rules
from stages.load.sources.data_files import is_pattern, pattern_folder
from stages.load.sources.fields import (
    parse_row,
    read_question,
    read_row_images,
    row_id,
    row_images,
)
from stages.load.sources.readers import open_rows
from stages.load.sources.roots import ImageRoot, open_root

MAX_DETAIL = 500
VerifyGold = Callable[[Problem], str | None]
"""None if a problem's own verifier accepts its gold answer, else why not."""
Ahead = Callable[[Problem], object]
"""Works out what will be asked of a problem, on any thread, for those who remember it."""


def load(
    source: SourceConfig,
    verify_gold: VerifyGold,
    seen: set[str] | None = None,
    prompt: str = "",
    readings: MutableMapping[str, GoldReading] | None = None,
    demand_options: bool = True,
    ahead: Ahead = lambda problem: None,
) -> Iterator[Problem | Rejected]:
    """Streams a source: one Problem or Rejected for every row.

    Rows are read one after the other and parsed on all cores; `verify_gold` and `seen` meet them in their order.

    Args:
        source: The benchmark.
        verify_gold: See `VerifyGold`.
        seen: What identifies the problems so far, added to here. Shared between calls, it finds the problems
            that sources have in common.
        prompt: The prompt file of a source that names none.
        readings: What the golds of sources with `gold: auto` are, by name. A source that is not in it is read through
            when its first row with options comes, and put in.
        demand_options: Refuse letters where no options are known.
        ahead: Called with each parsed row on some thread, duplicates too: what `verify_gold` and others will ask for can be
            worked out there and remembered.

    Raises:
        UserError: before any row, if the source can't be opened; later, if a dataset or function breaks off, or if it
            can't be told what the golds are.
    """
    rows = open_rows(source)
    root = image_root(source)
    known = set() if seen is None else seen
    rules = gold_rules(source, {} if readings is None else readings, demand_options)

    def parse(numbered: tuple[int | str, Any]) -> tuple[str, Problem | RowError]:
        name = row_id(numbered[1], numbered[0], source)
        try:
            problem = parse_row(numbered[1], name, source, root, source.prompt or prompt, rules)
        except RowError as error:
            return name, error
        ahead(problem)
        return name, problem

    def admitted(name: str, parsed: Problem | RowError) -> Problem | Rejected:
        try:
            if isinstance(parsed, RowError):
                raise parsed
            _admit(parsed, verify_gold, known)
            return parsed
        except RowError as error:
            return Rejected(source.name, name, error.reason, _printable(error.detail))

    return (admitted(*each) for each in in_order(parse, rows))


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """What a benchmark asks, for comparison: the row's own name, the question, the bytes of its images."""

    row_id: str
    question: str
    images: tuple[bytes, ...]


def load_benchmark(source: SourceConfig) -> Iterator[BenchmarkRow | Rejected]:
    """Streams the questions of a benchmark; answers and options are not looked at, images may be missing.

    Raises:
        UserError: as `load`.
    """
    rows, root = open_rows(source), image_root(source)

    def load_row(numbered: tuple[int | str, Any]) -> BenchmarkRow | Rejected:
        number, row = numbered
        name = row_id(row, number, source)
        try:
            if isinstance(row, RowError):
                raise row
            if not isinstance(row, Mapping):
                raise RowError("wrong_type", f"the row is {type(row).__name__}, not an object")
            has_images = row_images(row, source) not in (None, "", [])
            images = read_row_images(row, source, root) if has_images else ()
            return BenchmarkRow(name, read_question(row, source), images)
        except RowError as error:
            return Rejected(source.name, name, error.reason, _printable(error.detail))

    return in_order(load_row, rows)


def _admit(problem: Problem, verify_gold: VerifyGold, known: set[str]) -> None:
    # Without the source, so that a question which two sources share is found.
    hashes = [image.sha256 for image in problem.images]
    key = Problem.make_id("", problem.question, problem.answer, hashes, problem.options, problem.references)
    if key in known:
        raise RowError("duplicate", "an earlier row has the same question, answer and images")
    if (why := verify_gold(problem)) is not None:
        raise RowError("gold_rejected", why)
    known.add(key)


def _printable(detail: str) -> str:
    """Details quote the row, whose texts can be of any length and hold what no file can."""
    return detail[:MAX_DETAIL].encode(errors="backslashreplace").decode()


def image_root(source: SourceConfig) -> ImageRoot | None:
    """The place that image paths are relative to; a function or a hub dataset has none unless it is named."""
    if source.images is not None:
        places = searched(source.images, source.folders)
        return open_root(source.images, f"source {source.name!r}, images {source.images}", places)
    if source.path is not None:
        folder = pattern_folder(source.path) if is_pattern(source.path) else Path(source.path).parent
        return open_root(folder, f"source {source.name!r}")
    if source.dataset is not None and Path(source.dataset).is_dir():
        return open_root(source.dataset, f"source {source.name!r}")
    return None


@dataclass
class SourceSummary:
    """What became of a source's rows."""

    source: str
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Bad rows by reason; `duplicate` is one of them."""
    flagged: int = 0
    """Good rows that a benchmark has, too."""
    answers: Counter[str] = field(default_factory=Counter)
    """Good rows by the kind of their answer."""


def summarise(results: Iterable[Problem | Rejected]) -> list[SourceSummary]:
    """Counts what `load` gave, source by source in the order of their first rows."""
    summaries: dict[str, SourceSummary] = {}
    for result in results:
        summary = summaries.setdefault(result.source, SourceSummary(result.source))
        summary.rows += 1
        if isinstance(result, Rejected):
            summary.rejected[result.reason] += 1
        else:
            summary.flagged += bool(result.contamination)
            summary.answers[answer_kind(result.answer)] += 1
    return list(summaries.values())


def total(summaries: Iterable[SourceSummary]) -> SourceSummary:
    """The sums over all sources, as a source named `all`."""
    whole = SourceSummary("all")
    for each in summaries:
        whole.rows += each.rows
        whole.flagged += each.flagged
        whole.rejected += each.rejected
        whole.answers += each.answers
    return whole


_ANSWER_KINDS = {
    "letter": r"[A-Z]",
    "letters": r"[A-H]{2,8}",
    "integer": r"-?(\d+|\d{1,3}(,\d{3})+)",
    "decimal": r"-?(\d*|\d{1,3}(,\d{3})+)\.\d+",
    "fraction": r"-?\d+/\d+",
    "list": r"\[.*\]",
    "latex": r".*[\\$^{].*",
}


def answer_kind(answer: str) -> str:
    """The form of an answer, for a table that a person reads: `integer`, `letter`, `latex`, `text`, …"""
    matches = (kind for kind, form in _ANSWER_KINDS.items() if re.fullmatch(form, answer, re.DOTALL))
    return next(matches, "text")
