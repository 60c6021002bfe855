"""Rows of candidates and their problems: the rows' own, or those of a configuration that they name."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import RunConfig, SourceConfig
from pipeline.errors import RowError
from pipeline.records import Problem, Rejected
from pipeline.store import Store
from stages.best_of_n.given import Columns, Given
from stages.label import UNJUDGED
from stages.load.given_responses import AMBIGUOUS, Key, key_of, keys_of
from stages.load.golds import gold_rules
from stages.load.parse import MAX_DETAIL, image_root
from stages.load.paths import locate
from stages.load.problems import ProblemWriter, gold_status, read_sources, set_columns
from stages.load.screen import Screen
from stages.load.sources.fields import parse_row, row_id
from stages.load.sources.readers import open_rows
from stages.verify.pool import VerifierPool

NAME = "candidates"
"""The source of rows that name no problem, in the quarantine."""


@dataclass
class Matched:
    """Candidates by problem id, in the order of their rows; the problems themselves are in a store's problem files."""

    file: str
    given: dict[str, list[Given]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Source and row of each problem."""
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, source: str, name: str, error: RowError) -> None:
        self.rejected.append(Rejected(source, name, error.reason, error.detail[:MAX_DETAIL]))


def rows_as_problems(file: str, config: RunConfig, columns: Columns, screen: Screen | None, store: Store) -> Matched:
    """Each row says its problem; rows of one problem bring further candidates of it."""
    found = Matched(file)
    refused: dict[str, RowError] = {}
    (source,) = locate(config.sources, config.data_root)
    writer = ProblemWriter(store, None, set_columns([source]))
    with ExitStack() as stack:
        pool = stack.enter_context(VerifierPool(config.verify.workers, config.verify.time_limit_s))
        runner = stack.enter_context(asyncio.Runner())
        for name, row, problem in _parsed(source, config, columns, found):
            key = problem.problem_id
            try:
                given = columns.read(row)
                if key not in found.names and key not in refused:
                    try:
                        writer.add(_screened(_with_readable_gold(problem, config, pool, runner), screen))
                        found.names[key] = problem.source, name
                    except RowError as error:
                        refused[key] = error
                if key in refused:
                    raise refused[key]
            except RowError as error:
                found.reject(problem.source, name, error)
            else:
                found.given[key] += given
    writer.flush()
    return found


def _parsed(
    source: SourceConfig, config: RunConfig, columns: Columns, found: Matched
) -> Iterator[tuple[str, Mapping[str, Any], Problem]]:
    """The rows that hold a problem; what they say of candidates is no part of it."""
    root = image_root(source)
    rules = gold_rules(source, {}, demand_options=config.verify.compat is None)
    for number, row in open_rows(source):
        name = row_id(row, number, source)
        bare = (
            {key: value for key, value in row.items() if key not in columns.names} if isinstance(row, Mapping) else row
        )
        try:
            problem = parse_row(bare, name, source, root, source.prompt or config.prompt, rules)
        except RowError as error:
            found.reject(source.name, name, error)
        else:
            yield name, row, problem


def _with_readable_gold(problem: Problem, config: RunConfig, pool: VerifierPool, runner: asyncio.Runner) -> Problem:
    """As for a dataset: a gold that no mode of its own can read is none."""
    if config.verify.compat is None and (status := runner.run(gold_status(problem, pool))) != "correct":
        reason = "gold_unsettled" if status in UNJUDGED else "gold_rejected"
        raise RowError(reason, f"{problem.answer!r} is {status} by {', '.join(problem.verify)}")
    return problem


def _screened(problem: Problem, screen: Screen | None) -> Problem:
    item = screen(problem) if screen else problem
    if isinstance(item, Rejected):
        raise RowError(item.reason, item.detail)
    return item


def match_rows(file: str, config: RunConfig, columns: Columns, screen: Screen | None, store: Store) -> Matched:
    """The rows name problems of a configuration, by `problem_id`, `id`, or `question` and `answer`."""
    found = Matched(file)
    several = len(config.sources) > 1
    rows: dict[Key, list[tuple[str, list[Given]]]] = defaultdict(list)
    for number, row in open_rows(SourceConfig(name=NAME, path=file)):
        name = str(row.get("id") or f"row {number}") if isinstance(row, Mapping) else f"row {number}"
        try:
            given = columns.read(row)
            rows[key_of(row, several)].append((name, given))
        except RowError as error:
            found.reject(NAME, name, error)
    owners: dict[Key, set[str]] = defaultdict(set)
    writer = ProblemWriter(store, None, set_columns(config.sources))
    for item in read_sources(config, screen):
        if isinstance(item, Rejected):
            found.rejected.append(item)
            continue
        keys = [key for key in keys_of(item) if key in rows]
        if not keys:
            continue
        for key in keys:
            owners[key].add(item.problem_id)
            found.given[item.problem_id] += [one for _, given in rows[key] for one in given]
        found.names[item.problem_id] = item.source, item.row_id
        writer.add(item)
    writer.flush()
    for problem_id in sorted(
        {one for several_owners in owners.values() if len(several_owners) > 1 for one in several_owners}
    ):
        found.reject(*found.names[problem_id], RowError("ambiguous_response", AMBIGUOUS))
        del found.given[problem_id]
    for key, lines in rows.items():
        if key not in owners:
            for name, _ in lines:
                found.reject(
                    NAME, name, RowError("no_problem", f"no problem of the configuration has {' '.join(key)[:80]}")
                )
    return found
