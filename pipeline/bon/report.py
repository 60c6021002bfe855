"""`visualprm bon report`: every way of choosing, on a frozen pool with the scores that lie beside it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.bon.pool import Candidate, Pool
from pipeline.bon.scores import CriticScores, read_scores
from pipeline.errors import UserError
from pipeline.settings import Strict
from stages.aggregate import AGGREGATORS
from stages.best_of_n.expected import NO_ANSWER, Floats, sizes
from stages.best_of_n.markdown import markdown, plot
from stages.best_of_n.methods import Case, Scoring, curves, methods
from stages.best_of_n.summary import summarise


class ReportSettings(Strict):
    """How a report is made. The same settings give the same numbers."""

    aggregate: str = "mean"
    """What makes one score of a process reward model's steps where only one can be: in votes, tests and the plot."""
    subsets: int = Field(default=256, ge=1)
    """The most random subsets of candidates a problem and size, for votes."""
    resamples: int = Field(default=10_000, ge=100)
    """Resamples of the bootstrap, and flips of the paired test."""
    seed: int = 0
    """Of subsets, resamples and flips."""


def report_pool(folder: str, settings: ReportSettings) -> None:
    """Writes report.json, report.md and report.png beside the pool, and prints the Markdown.

    Raises:
        UserError: no such pool or aggregator, or a critic scored another pool.
    """
    if settings.aggregate not in AGGREGATORS:
        raise UserError(f"aggregate={settings.aggregate}: must be one of {', '.join(AGGREGATORS)}")
    pool = Pool(folder)
    document = build_report(pool, _complete(pool), settings)
    text = markdown(document)
    pool.store.write_text("report/report.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    pool.store.write_text("report/report.md", text)
    with pool.store.filesystem.open_output_stream(pool.store.path("report/report.png")) as file:
        file.write(plot(document))
    print(text, end="")


def build_report(pool: Pool, critics: Sequence[CriticScores], settings: ReportSettings) -> dict[str, Any]:
    """All numbers of a report, as plain data."""
    sources = pool.sources
    cases, statuses = [], Counter[str]()
    for problem_id, candidates in pool.candidates():
        statuses.update(candidate.status for candidate in candidates)
        cases.append(_case(sources[problem_id], candidates, critics))
    at = sizes(pool.num_candidates)
    wanted = methods(_scorings(critics), settings.aggregate)
    found = curves(cases, wanted, at, pool.greedy_first, settings.subsets, settings.seed)
    return {
        "pool": pool.about,
        "settings": settings.model_dump(),
        "sizes": at,
        "statuses": dict(statuses.most_common()),
        "unscored": {critic.name: dict(sorted(critic.errors.items())) for critic in critics},
        **summarise(cases, found, at, settings.aggregate, settings.resamples, settings.seed),
    }


def _complete(pool: Pool) -> list[CriticScores]:
    """The critics that have scored every problem; the others are named on stderr."""
    critics = read_scores(pool)
    for critic in critics:
        if critic.problems < pool.num_problems:
            print(
                f"left out {critic.name}: it has scored {critic.problems} of {pool.num_problems} problems; "
                "the same `bon score` goes on",
                file=sys.stderr,
            )
    return [critic for critic in critics if critic.problems == pool.num_problems]


def _scorings(critics: Sequence[CriticScores]) -> list[Scoring]:
    return [(critic.name, name) for critic in critics for name in ([""] if critic.outcome else AGGREGATORS)]


def _case(source: str, candidates: Sequence[Candidate], critics: Sequence[CriticScores]) -> Case:
    scores: dict[Scoring, Floats] = {}
    for critic in critics:
        steps = critic.of(candidates)
        if critic.outcome:
            scores[critic.name, ""] = _numbers([None if own is None else own[0] for own in steps])
            continue
        for name, aggregate in AGGREGATORS.items():
            scores[critic.name, name] = _numbers([None if own is None else aggregate(own) for own in steps])
    groups = [NO_ANSWER if candidate.answer_group is None else candidate.answer_group for candidate in candidates]
    correct = np.array([candidate.correct for candidate in candidates])
    return Case(source, correct, np.array(groups, dtype=np.int64), scores)


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
