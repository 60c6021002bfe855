"""What critics say of a pool's candidates: kept beside the pool, a file for every few problems.

scores/<critic>/critic.json           the pool that was scored, and what scored it
scores/<critic>/parts/*.parquet       a row a distinct response of a problem

Identical responses of one problem are scored once. The parts say which problems are done, so scoring goes on after
any stop.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from pipeline import origin
from pipeline.config import SplitConfig
from pipeline.errors import RowError, UserError
from pipeline.markdown import counted
from pipeline.store import Store, full
from pipeline.terminal.bar import Bar
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from stages.best_of_n.critics import CriticSpec, find_critic, load_critic
from stages.best_of_n.parts import done_problems, read_parts, write_part
from stages.best_of_n.pool import Pool, PoolCandidate, PoolProblem, batched
from stages.split import context_in, told

if TYPE_CHECKING:
    from stages.reward.model import Candidate, Scorer
    from stages.reward.open_scorer import Backend

SCORE_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("candidate", pa.int32()),
        ("scores", pa.list_(pa.float64())),
        ("step_low", pa.list_(pa.float64())),
        ("step_high", pa.list_(pa.float64())),
        ("error", pa.string()),
    ]
)
"""`candidate` is the first with this response; `scores` is null where the critic could give none, for `error`.

`step_low` and `step_high` bound the steps' intervals, entry for entry of `scores`; null from a critic that gives none.
"""
Column = Literal["scores", "step_low", "step_high"]
PROBLEMS_OF_A_PART = 16
"""What a stop costs at most."""


def score_pool(
    folder: str,
    critics: Sequence[str],
    load: Callable[[CriticSpec], Scorer] = load_critic,
    like: str | None = None,
    backend: Backend = "hf",
) -> None:
    """`visualprm bon score POOL CRITIC…`: one critic after the other, each from where it stands.

    Args:
        like: the reward model that critics which are none themselves are read as.
        backend: what runs them.

    Raises:
        UserError: no such pool or critic, the name has scored another pool or stands for another model, or a critic
            gave no score at all.
    """
    from stages.reward.open_scorer import ended

    pool = Pool(folder)
    wanted = [find_critic(critic, like, backend) for critic in critics]
    if like is not None and all(critic.like is None for critic in wanted):
        raise UserError(f"--like {like}: every critic here is a reward model with its own layout: leave it out")
    if twice := [name for name, count in Counter(critic.name for critic in wanted).items() if count > 1]:
        raise UserError(f"critics share the name {twice[0]!r}: write them as NAME=PATH")
    without: list[str] = []
    for critic in wanted:
        store = Store(pool.store.address("scores", critic.name))
        store.make()
        with store.lock(), quiet(pool.store.address("logs")):
            _begin(store, pool, critic)
            done = done_problems(store)
            if left := pool.num_problems - len(done):
                _note_other_steps(pool, critic)
                say(f"loading {critic.path}")
                with ended(load(critic)) as scorer:
                    _score_rest(store, pool, critic, scorer, done, left)
            if reasons := _nothing_scored(store):
                without.append(f"{critic.path}: gave no score ({reasons}): try another critic")
            else:
                tell(f"{critic.name}: {counted(pool.num_problems, 'problem')} scored in {store.uri}")
    if without:
        raise UserError("; ".join(without))


def _note_other_steps(pool: Pool, critic: CriticSpec) -> None:
    """A critic scores the steps of the pool, whatever steps it learnt from; its scores may mean less for it."""
    learnt, held = critic.split, pool.split
    if not critic.outcome and learnt and held and learnt.kind != held.kind:
        say(f"{critic.name}: learnt from solutions {told(learnt)}; the pool's are {told(held)}")


def _nothing_scored(store: Store) -> str:
    """Why no response has a score, with counts; empty where some have."""
    errors = [row["error"] for row in read_parts(store)]
    if not all(errors):
        return ""
    counts = Counter(error.partition(": ")[0] for error in errors)
    return ", ".join(f"{count:,} responses {reason}" for reason, count in counts.most_common())


def _begin(store: Store, pool: Pool, critic: CriticSpec) -> None:
    """Ties a critic's folder to the pool and the model, or compares it with them.

    Where the same folder now holds another model, trained again, the old one's scores are of a model that is gone:
    they are removed.

    Raises:
        UserError: it belongs to another pool, or to a model from another place.
    """
    if held := _about(store, pool):
        if held["model"] == critic.fingerprint:
            return
        mend = "give it another name by NAME=PATH, or remove that folder"
        wanted = {"path": full(critic.path)}
        origin.check(store.uri, {"path": held["path"]}, wanted, mend, "holds scores of another model")
        say(f"{critic.name}: {critic.path} has changed since ({held['model']}, now {critic.fingerprint}): scored again")
        # Should this stop half-way, what is left is not taken for the new model's.
        store.filesystem.delete_file(store.path("critic.json"))
    store.clear("parts")
    about = {
        "pool": pool.hash,
        "model": critic.fingerprint,
        "path": full(critic.path),
        "outcome": critic.outcome,
        "bounds": [critic.lowest, critic.highest],
    }
    store.write_json("critic.json", about)


def _about(store: Store, pool: Pool) -> dict[str, Any] | None:
    """critic.json, or None where there is none.

    Raises:
        UserError: another pool was scored, or by a version that kept less.
    """
    mend = "remove that folder and score again"
    held = origin.noted(store, "critic.json", mend)
    if held is not None:
        if missing := {"pool", "model", "path", "outcome", "bounds"} - held.keys():
            raise UserError(f"{store.uri}/critic.json: has no {min(missing)}: {mend}")
        origin.check(store.uri, {"pool": held["pool"]}, {"pool": pool.hash}, mend, "holds scores of another pool")
    return held


def _score_rest(store: Store, pool: Pool, critic: CriticSpec, scorer: Scorer, done: set[str], left: int) -> None:
    pending = (problem for problem in pool.problems() if problem.problem_id not in done)
    with closing(Bar(pool.num_problems, "problem", critic.name, pool.num_problems - left)) as bar:
        for chunk in batched(pending, PROBLEMS_OF_A_PART):
            rows = score_problems(chunk, scorer, critic.outcome, pool.split)
            write_part(store, pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))
            bar.add(len(chunk))


def score_problems(
    problems: Sequence[PoolProblem], scorer: Scorer, outcome: bool, how: SplitConfig | None = None
) -> list[dict[str, Any]]:
    """A row for every distinct response of each problem. All go to the scorer at once: it knows how to batch.

    `how` says which steps are context, that is no steps of the part that a pool's run measures: they get no score. An
    outcome model scores the whole response.
    """
    from stages.reward.model import Candidate

    firsts = [(problem, first) for problem in problems for first in _distinct(problem.candidates)]
    faults = [_fault(first.steps) for _, first in firsts]
    requests = [
        Candidate(
            problem.question,
            tuple(image.data for image in problem.images),
            first.steps,
            first.text,
            frozenset() if outcome or how is None else context_in(first.text, how, len(first.steps)),
        )
        for (problem, first), fault in zip(firsts, faults, strict=True)
        if fault is None
    ]
    scores = iter(scorer.score_many(requests))
    asked = iter(requests)
    return [
        _row(
            first,
            next(asked) if fault is None else None,
            next(scores) if fault is None else fault,
            1 if outcome else len(first.steps),
        )
        for (_, first), fault in zip(firsts, faults, strict=True)
    ]


def _fault(steps: Sequence[str]) -> RowError | None:
    from stages.reward.model import check_steps

    try:
        check_steps(steps or ("",))
    except RowError as error:
        return error
    return None


def _row(
    first: PoolCandidate, request: Candidate | None, found: Sequence[float] | RowError, wanted: int
) -> dict[str, Any]:
    row = {"problem_id": first.problem_id, "candidate": first.candidate, "scores": None, "error": None}
    row |= {"step_low": None, "step_high": None}
    if isinstance(found, RowError):
        return {**row, "error": str(found)}
    if len(found) != wanted or not all(map(math.isfinite, found)):
        return {
            **row,
            "error": f"critic_output: {len(found)} scores where {wanted} were due, or not all of them numbers",
        }
    scores = request.without_context(found) if request else found
    judged = [float(score) for score in scores if score is not None]
    if not judged:
        return {**row, "error": "no_such_part: no step of the part that is judged"}
    low, high = request.bounds(found) if request else (None, None)
    return {**row, "scores": judged, "step_low": _numbers(low), "step_high": _numbers(high)}


def _numbers(values: Sequence[float | None] | None) -> list[float] | None:
    return None if values is None else [value for value in values if value is not None]


def _distinct(candidates: Sequence[PoolCandidate]) -> list[PoolCandidate]:
    """The first candidate of every response."""
    return list({_key(candidate): candidate for candidate in reversed(candidates)}.values())


def _key(candidate: PoolCandidate) -> tuple[str, ...]:
    return (candidate.text, *candidate.steps)


@dataclass(frozen=True, slots=True)
class CriticScores:
    """All that one critic said of a pool.

    `of` has the scores of every candidate's steps, by problem, or None where there are none; they lie within `bounds`. With
    `step_low` or `step_high` it has the ends of their intervals, which `has_intervals` says that all of them have.
    `errors` counts the distinct responses without scores by reason.
    """

    name: str
    outcome: bool
    bounds: tuple[float, float]
    problems: int
    errors: Counter[str]
    rows: dict[str, dict[int, dict[str, Any]]] = field(repr=False)

    def of(self, candidates: Sequence[PoolCandidate], column: Column = "scores") -> list[list[float] | None]:
        """The scores of one problem's candidates, in their order."""
        own = self.rows[candidates[0].problem_id]
        known = {_key(candidates[number]): row.get(column) for number, row in own.items()}
        return [known[_key(candidate)] for candidate in candidates]

    @property
    def has_intervals(self) -> bool:
        """Whether every step with a score has an interval. Scores from before there were intervals have none."""
        rows = [row for own in self.rows.values() for row in own.values() if row["scores"] is not None]
        return bool(rows) and all(row.get("step_low") is not None for row in rows)


def read_scores(pool: Pool) -> list[CriticScores]:
    """Every critic beside the pool, in order of their names.

    Raises:
        UserError: a critic scored another pool.
    """
    folders = {path.split("/")[-2] for path in pool.store.files("scores", "critic.json")}
    return [_read(Store(pool.store.address("scores", name)), pool, name) for name in sorted(folders)]


def _read(store: Store, pool: Pool, name: str) -> CriticScores:
    held = _about(store, pool) or {}
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    errors: Counter[str] = Counter()
    for row in read_parts(store):
        rows.setdefault(row["problem_id"], {})[row["candidate"]] = row
        if row["error"]:
            errors[row["error"].partition(": ")[0]] += 1
    lowest, highest = held["bounds"]
    return CriticScores(name, held["outcome"], (lowest, highest), len(rows), errors, rows)
