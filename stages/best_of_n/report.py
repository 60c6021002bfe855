"""`visualprm bon report`: every way of choosing, on a frozen pool with the scores that lie beside it.

Into the pool's folder `report/` go report.json, report.md, report.png and votes.png (both also as SVG), and
problems.parquet: the expected accuracy of every way on every problem, from which any other comparison can be made, paired
by problem.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.command_line.answer import Answer
from pipeline.errors import UserError
from pipeline.settings import Strict
from pipeline.terminal.speak import say
from stages.best_of_n import plots
from stages.best_of_n.expected import NO_ANSWER, Floats, sizes
from stages.best_of_n.markdown import markdown
from stages.best_of_n.methods import Case, Curve, Method, Scoring, curves, methods
from stages.best_of_n.pool import Pool, PoolCandidate
from stages.best_of_n.scores import CriticScores, read_scores
from stages.best_of_n.summary import summarise
from stages.best_of_n.weights import vote_weight
from stages.reward.aggregate import AGGREGATORS

PROBLEM_SCHEMA = pa.schema(
    [("problem_id", pa.string()), ("method", pa.string()), ("n", pa.int32()), ("accuracy", pa.float64())]
)
"""problems.parquet: `method` is the label of a report's row, `accuracy` the expected one among `n` candidates."""


class ReportSettings(Strict):
    """How a report is made. The same settings give the same numbers."""

    aggregate: str = "mean"
    """What makes one score of a process reward model's steps where only one can be: in votes, tests and the plot."""
    answer_power: float = Field(default=0.3, ge=0)
    """Of `backed`: the score times this power of how many candidates give the same answer; 0 leaves the score alone."""
    subsets: int = Field(default=256, ge=1)
    """The most random subsets of candidates a problem and size, for votes."""
    resamples: int = Field(default=10_000, ge=100)
    """Resamples of the bootstrap, and flips of the paired test."""
    seed: int = 0
    """Of subsets, resamples and flips."""


def report_pool(folder: str, settings: ReportSettings) -> Answer:
    """Writes the report beside the pool and returns it, as Markdown and as data.

    Raises:
        UserError: no such pool or aggregator, or a critic scored another pool.
    """
    if settings.aggregate not in AGGREGATORS:
        raise UserError(f"aggregate={settings.aggregate}: must be one of {', '.join(AGGREGATORS)}")
    pool = Pool(folder)
    say(f"comparing the ways to choose among the candidates of {folder}, with {settings.resamples:,} resamples")
    document, problems = build_report(pool, _complete(pool), settings)
    text = markdown(document)
    pool.store.write_text("report/report.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    pool.store.write_text("report/report.md", text)
    for name, data in plots.render(document).items():
        with pool.store.new_file(f"report/{name}") as file:
            file.write(data)
    with pool.store.new_file("report/problems.parquet") as file:
        pq.write_table(problems, file)
    return Answer(text.rstrip("\n"), {**document, "folder": pool.store.address("report")})


def build_report(
    pool: Pool, critics: Sequence[CriticScores], settings: ReportSettings
) -> tuple[dict[str, Any], pa.Table]:
    """All numbers of a report, as plain data; and the accuracies of single problems (`PROBLEM_SCHEMA`)."""
    sources = pool.sources
    cases, statuses = [], Counter[str]()
    for problem_id, candidates in pool.candidates():
        statuses.update(candidate.status for candidate in candidates)
        cases.append(_case(sources[problem_id], candidates, critics, settings.aggregate))
    at = sizes(pool.num_candidates)
    wanted = methods(_scorings(critics, settings.aggregate), settings.aggregate)
    found = curves(cases, wanted, at, pool.greedy_first, settings.subsets, settings.seed, settings.answer_power)
    document = {
        "pool": pool.about,
        "settings": settings.model_dump(),
        "sizes": at,
        "statuses": dict(statuses.most_common()),
        "unscored": {critic.name: dict(sorted(critic.errors.items())) for critic in critics},
        **summarise(cases, found, at, settings.aggregate, settings.resamples, settings.seed),
    }
    return document, _by_problem(list(sources), found, at)


def _by_problem(problem_ids: Sequence[str], found: dict[Method, Curve], at: Sequence[int]) -> pa.Table:
    parts = [
        pa.table([problem_ids, [method.label] * len(problem_ids), [n] * len(problem_ids), curve.accuracy[:, column]],
                 schema=PROBLEM_SCHEMA)
        for method, curve in found.items()
        for column, n in enumerate(at)
    ]  # fmt: skip
    return pa.concat_tables(parts)


def _complete(pool: Pool) -> list[CriticScores]:
    """The critics that have scored every problem; the others are named on stderr."""
    critics = read_scores(pool)
    for critic in critics:
        if critic.problems < pool.num_problems:
            say(
                f"left out {critic.name}: it has scored {critic.problems} of {pool.num_problems} problems; "
                "the same `bon score` resumes"
            )
    return [critic for critic in critics if critic.problems == pool.num_problems]


def _scorings(critics: Sequence[CriticScores], voting: str) -> list[Scoring]:
    return [(critic.name, name) for critic in critics for name in _aggregates(critic, voting)]


def _aggregates(critic: CriticScores, voting: str) -> list[str]:
    if critic.outcome:
        return [""]
    return [*AGGREGATORS, *([_low(voting)] if critic.has_intervals else [])]


def _low(aggregate: str) -> str:
    """The name of an aggregate of the lower ends of the steps' intervals."""
    return f"{aggregate} of low"


def _case(source: str, candidates: Sequence[PoolCandidate], critics: Sequence[CriticScores], voting: str) -> Case:
    scores: dict[Scoring, Floats] = {}
    weights: dict[Scoring, Floats] = {}
    for critic in critics:
        steps = critic.of(candidates)
        # An outcome model's one score is the mean of itself.
        scoring, way = ("", "mean") if critic.outcome else (voting, voting)
        weights[critic.name, scoring] = _numbers(
            [None if own is None else vote_weight(own, critic.bounds, way) for own in steps]
        )
        if critic.outcome:
            scores[critic.name, ""] = _numbers([None if own is None else own[0] for own in steps])
            continue
        for name, aggregate in AGGREGATORS.items():
            scores[critic.name, name] = _numbers([None if own is None else aggregate(own) for own in steps])
        if critic.has_intervals:
            low = critic.of(candidates, "step_low")
            scores[critic.name, _low(voting)] = _numbers(
                [None if own is None else AGGREGATORS[voting](own) for own in low]
            )
    groups = [NO_ANSWER if candidate.answer_group is None else candidate.answer_group for candidate in candidates]
    correct = np.array([candidate.correct for candidate in candidates])
    return Case(source, correct, np.array(groups, dtype=np.int64), scores, weights)


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
