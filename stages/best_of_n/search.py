"""`visualprm bon search`: each problem solved by step-level search, beside which a pool's Best-of-N can be held.

One engine and one reward model in this process; problems are written to `parts/` a few at a time, and the same
command goes on after a stop.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline import origin
from pipeline.config import EngineConfig, RunConfig, ledger_view
from pipeline.engine import Engine, make_engine
from pipeline.engine.number_type import decided
from pipeline.engine.policy import check_start, model_fingerprint, policy_key
from pipeline.errors import RowError, UserError
from pipeline.markdown import counted
from pipeline.records import SEPARATOR, Problem, Rejected, asked
from pipeline.seeds import base_seed
from pipeline.settings import Strict
from pipeline.store import Store, beside
from pipeline.terminal.bar import Bar, clock
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from stages.annotate.sample import Template, chat_prompt
from stages.annotate.settings_lock import read_templates
from stages.best_of_n.beams import search
from stages.best_of_n.compare import bootstrap
from stages.best_of_n.critics import CriticSpec, find_critic, load_critic
from stages.best_of_n.parts import done_problems, read_parts, write_part
from stages.best_of_n.pool import batched
from stages.load.problems import READINGS, read_sources, recorded_readings, tell_rejected, write_rejected
from stages.load.screen import open_screen
from stages.reward.aggregate import AGGREGATORS
from stages.split import split, told
from stages.verify import VerifierPool
from stages.verify.of_run import check_reference, judge
from stages.verify.version import verifier_version

if TYPE_CHECKING:
    from stages.reward.model import Scorer
    from stages.reward.open_scorer import Backend

SEARCH_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("source", pa.string()),
        ("text", pa.string()),
        ("score", pa.float64()),
        ("answer", pa.string()),
        ("status", pa.string()),
        ("num_tokens", pa.int32()),
        ("error", pa.string()),
    ]
)
"""`num_tokens` counts everything that was generated for the problem; a problem with `error` has nulls."""
_NOTED = "search.json"
"""What the search was made from, and the verifiers that judged it."""
_MEND = "name another folder by --out"


class SearchSettings(Strict):
    """The width of the search and what guides it."""

    beams: int = Field(default=4, ge=1)
    """Beginnings that stay after every step."""
    expand: int = Field(default=4, ge=1)
    """Next steps that each of them gets."""
    aggregate: str = "mean"
    """What makes one score of the steps' scores."""


def search_problems(
    config: RunConfig, critic: str, settings: SearchSettings, out: str | None = None, backend: Backend = "hf"
) -> None:
    """Searches what is missing and prints the accuracy; `backend` is what runs the critic.

    Raises:
        UserError: settings, files or the disk don't allow it, or the folder holds another search.
    """
    if settings.aggregate not in AGGREGATORS:
        raise UserError(f"aggregate={settings.aggregate}: must be one of {', '.join(AGGREGATORS)}")
    found = find_critic(critic, backend=backend)
    if found.outcome:
        raise UserError(f"{found.path}: an outcome model can't judge a beginning: give a process reward model")
    _check_steps(config, found)
    templates = {name: Template(text) for name, text in read_templates(config).items()}
    check_start(config.engine)
    config = config.model_copy(update={"engine": decided(config.engine)})
    model = model_fingerprint(config.engine)
    check_reference(config)
    store = Store(out or beside(config.output_dir, "-search"))
    store.make()
    with store.lock(), quiet(store.address("logs")):
        _begin(store, config, model, found, settings)
        done = done_problems(store)
        if pending := [problem for problem in _load(store, config) if problem.problem_id not in done]:
            _note_verifier(store, bool(done))
            asyncio.run(_search_all(store, pending, templates, model, found, config, settings, len(done)))
        tell(_summary(store, settings))


def _check_steps(config: RunConfig, critic: CriticSpec) -> None:
    """
    Raises:
        UserError: the steps that are drawn would not be those that the settings or the critic mean.
    """
    if config.split.kind != "blank_lines":
        raise UserError(
            f"split.kind={config.split.kind}: a search draws up to a blank line each time: remove split.kind"
        )
    if config.sampling.max_thinking_tokens is not None:
        raise UserError("sampling.max_thinking_tokens: a search does not close the thinking: remove it")
    if config.split.part != "all":
        raise UserError(
            f"split.part={config.split.part}: a search scores a solution from its first step: remove split.part"
        )
    if critic.split and (critic.split.kind != "blank_lines" or critic.split.part != "all"):
        raise UserError(
            f"{critic.path}: learnt from solutions {told(critic.split)}, and a search draws up to a blank line each time: "
            "give a critic of such steps"
        )


def _begin(store: Store, config: RunConfig, model: str, critic: CriticSpec, settings: SearchSettings) -> None:
    parts = [ledger_view(config), model, critic.fingerprint, settings.model_dump()]
    wanted = {"made_from": origin.digest(parts)}
    held = origin.noted(store, _NOTED, _MEND)
    if held is None:
        store.write_json(_NOTED, wanted)
    else:
        made_from = {"made_from": held.get("made_from")}
        origin.check(store.uri, made_from, wanted, _MEND, "holds a search with other settings or models")


def _note_verifier(store: Store, goes_on: bool) -> None:
    """Adds today's verifier to those that judged the search; where another judged what is done, the user is told."""
    noted = origin.noted(store, _NOTED, _MEND) or {}
    # Until verifiers were noted, a search began without.
    before = noted.get("verifiers", ["not noted"] if goes_on else [])
    if (today := verifier_version()) not in before:
        store.write_json(_NOTED, {**noted, "verifiers": [*before, today]})
    if others := [name for name in before if name != today]:
        say(f"what is searched already was judged by another verifier ({'; '.join(others)}; now {today})")


def _load(store: Store, config: RunConfig) -> list[Problem]:
    """The problems that a dataset of this configuration would have; the other rows go to its quarantine."""
    screen = open_screen(config)
    readings = recorded_readings(store)
    items = list(read_sources(config, screen, readings))
    if readings:
        store.write_json(READINGS, readings)
    tell_rejected(write_rejected(store, [item for item in items if isinstance(item, Rejected)], screen), screen)
    return [item for item in items if isinstance(item, Problem)]


async def _search_all(
    store: Store,
    problems: Sequence[Problem],
    templates: dict[str, Template],
    model: str,
    critic: CriticSpec,
    config: RunConfig,
    settings: SearchSettings,
    done: int,
) -> None:
    from stages.reward.open_scorer import ended

    # The engine first: it starts processes, which must not inherit a device that the reward model has opened.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    say("starting the engine")
    began = time.monotonic()
    engine = make_engine(config.engine)
    say(f"engine ready after {clock(time.monotonic() - began)}; loading {critic.path}")
    try:
        with (
            ended(load_critic(critic, **left_over(config.engine, critic.backend))) as scorer,
            VerifierPool(config.verify.workers, config.verify.time_limit_s) as verifier,
            closing(Bar(done + len(problems), "problem", "searched", done)) as bar,
        ):
            searcher = _Searcher(engine, scorer, config, settings)
            for chunk in batched(problems, config.engine.max_in_flight):
                rows = await asyncio.gather(
                    *(searcher.row(problem, templates[problem.prompt], model, verifier) for problem in chunk)
                )
                write_part(store, pa.Table.from_pylist(rows, schema=SEARCH_SCHEMA))
                bar.add(len(rows))
    finally:
        await engine.close()


def left_over(engine: EngineConfig, backend: Backend) -> dict[str, Any]:
    """What vLLM is told for the critic where the settings give the engine a share of the GPU: the rest, but for 5 %."""
    taken = engine.args.get("gpu_memory_utilization")
    return {} if backend == "hf" or taken is None else {"gpu_memory_utilization": round(0.95 - taken, 2)}


class _Searcher:
    """One engine and one reward model, which scores for one problem at a time."""

    def __init__(self, engine: Engine, scorer: Scorer, config: RunConfig, settings: SearchSettings) -> None:
        self._engine, self._scorer = engine, scorer
        self._config, self._settings = config, settings
        self._turn = asyncio.Lock()

    async def row(self, problem: Problem, template: Template, model: str, verifier: VerifierPool) -> dict[str, Any]:
        row: dict[str, Any] = {"problem_id": problem.problem_id, "source": problem.source}
        key = policy_key(model, template.sha, self._config)

        async def score(texts: Sequence[str]) -> list[float]:
            async with self._turn:
                return await asyncio.to_thread(self._scores, problem, texts)

        try:
            found = await search(
                chat_prompt(problem, template, self._engine),
                self._engine,
                score,
                self._config.sampling,
                self._settings.beams,
                self._settings.expand,
                self._config.split.max_steps,
                base_seed(self._config.seed, problem.problem_id, key, "search"),
            )
        except RowError as error:
            return {**row, "error": str(error)}
        best = found.best
        ended = best.finish_reason or "length"
        verdict = await judge(problem, best.text, ended, template.text, verifier, self._config)
        return {
            **row,
            "text": best.text,
            "score": best.score if math.isfinite(best.score) else None,
            "answer": verdict.answer,
            "status": verdict.status,
            "num_tokens": found.num_tokens,
        }

    def _scores(self, problem: Problem, texts: Sequence[str]) -> list[float]:
        from stages.reward.model import Candidate

        images = tuple(image.data for image in problem.images)
        steps = [tuple(split(text.removesuffix(SEPARATOR), self._config.split.max_steps)) for text in texts]
        # An empty step after a beginning says that it goes on; its own score means nothing.
        goes_on = [text.endswith(SEPARATOR) for text in texts]
        shown = [(*own, "") if more else own for own, more in zip(steps, goes_on, strict=True)]
        question = asked(problem.question, problem.options)
        found = self._scorer.score_many([Candidate(question, images, own) for own in shown])
        return [
            self._aggregate(own[:-1] if more and not isinstance(own, RowError) else own)
            for own, more in zip(found, goes_on, strict=True)
        ]

    def _aggregate(self, scores: list[float] | RowError) -> float:
        # What can't be shown to the reward model, for its length say, can't go on.
        return float("-inf") if isinstance(scores, RowError) else AGGREGATORS[self._settings.aggregate](scores)


def _summary(store: Store, settings: SearchSettings) -> str:
    rows = list(read_parts(store))
    kept = [row for row in rows if row["error"] is None]
    if not kept:
        raise UserError(f"{store.uri}: no problem could be searched: see `error` in parts/")
    (accuracy,) = bootstrap(np.array([[float(row["status"] == "correct")] for row in kept]), 10_000, 0)
    tokens = np.mean([row["num_tokens"] for row in kept])
    failed = ""
    if len(kept) < len(rows):
        reasons = Counter(row["error"].partition(": ")[0] for row in rows if row["error"] is not None)
        told = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
        whole = accuracy.mean * len(kept) / len(rows)
        failed = (
            f"; {counted(len(rows) - len(kept), 'problem')} left out ({told}; with them as wrong {100 * whole:.1f} %)"
        )
    return (
        f"{counted(len(kept), 'problem')}, {counted(settings.beams, 'beam')} × {settings.expand}:"
        f" accuracy {100 * accuracy.mean:.1f} % [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}],"
        f" {tokens:,.0f} tokens per problem{failed}; in {store.uri}"
    )
