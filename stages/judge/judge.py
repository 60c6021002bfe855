"""What one judge does: problems with their solutions in, votes on every step out. Runs in a Ray actor."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import origin, records, schemas
from pipeline.config import EngineConfig, RunConfig, SamplingConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.engine.policy import policy_name
from pipeline.errors import EngineDead, RowError, StartError
from pipeline.records import IMAGE, SEPARATOR, Problem, SolutionId, asked
from pipeline.seeds import base_seed
from pipeline.store import open_uri
from stages.annotate.actor import EngineActor, given_up
from stages.annotate.damage import unchanged
from stages.annotate.earlier_run import COLUMN, whole
from stages.annotate.nodes import Wanted
from stages.annotate.sample import Template
from stages.judge.answer import answer_schema, longest, read_answer
from stages.judge.budget import Spent
from stages.judge.config import JudgingConfig
from stages.judge.records import JUDGEMENT_SCHEMA, JudgedSolution, Vote
from stages.judge.trial import check_answers

_PLACEHOLDER = re.compile(r"\{(question|steps|answer)\}")
_SOLUTION = "solutions.list.element."
_COLUMNS = ["problem_id", "policy_key", _SOLUTION + "solution_id", _SOLUTION + "steps.list.element.text"]


class Chain(NamedTuple):
    """A solution as a judge reads it: its id and the texts of its steps."""

    solution_id: str
    steps: tuple[str, ...]


def with_schemas(engine: EngineConfig) -> EngineConfig:
    """The settings with what vLLM needs to answer by a schema without blanks, unless they say something else.

    Servers have their own, which the trial of their answers is about.
    """
    from pipeline.engine.vllm import SCHEMA_ARGS

    if engine.kind != "vllm":
        return engine
    return engine.model_copy(update={"args": {**SCHEMA_ARGS, **engine.args}})


def judge_key(model: str, template: Template, config: JudgingConfig, chat: Mapping[str, Any]) -> str:
    """12 hex digits over model, prompt, what is asked and `chat`, the arguments for the chat template: names the judge in seeds."""
    parts: list[Any] = [model, template.sha, _named(config)]
    if chat:
        # Without arguments it is as it was before there were any: seeds of older judgements stay.
        parts.append(dict(chat))
    return origin.digest(parts)[:12]


def _named(config: JudgingConfig) -> dict[str, Any]:
    return {name: value for name, value in config.asked.items() if name not in ("prompt", "votes")}


def question_text(problem: Problem, steps: Sequence[str], template: Template, show_answer: bool) -> str:
    """The prompt of one solution. A step that speaks of `<image>` must not become one."""
    shown = [f"Step {number}: {text.strip()}" for number, text in enumerate(steps, 1)]
    values = {
        "question": asked(problem.question, problem.options),
        "steps": SEPARATOR.join(shown).replace(IMAGE, "image"),
        "answer": f"\nRight answer:\n{problem.answer}\n" if show_answer else "",
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template.text)


def read_chains(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, list[Chain]]]:
    """The policy and the solutions of each problem, from the ledger files that the problem rows name; draws are not read."""
    found: dict[str, tuple[str, list[Chain]]] = {}
    wanted = {row["problem_id"] for row in rows}
    for address in sorted({row[COLUMN] for row in rows if row.get(COLUMN)}):
        filesystem, path = open_uri(address)
        with pq.ParquetFile(whole(address, path, filesystem)) as file:
            table = file.read(columns=_COLUMNS)
        for row in table.filter(pc.field("problem_id").isin(sorted(wanted))).to_pylist():
            chains = [
                Chain(one["solution_id"], tuple(step["text"] for step in one["steps"])) for one in row["solutions"]
            ]
            found[row["problem_id"]] = (row["policy_key"], chains)
    return found


async def judge_solution(
    problem: Problem, chain: Chain, template: Template, key: str, engine: Engine, seed: int, config: JudgingConfig
) -> JudgedSolution:
    """All votes on one solution. A `RowError` becomes its `error`.

    Raises:
        EngineDead: the engine is gone.
    """
    steps, longest_reason = len(chain.steps), config.reason_characters
    text = question_text(problem, chain.steps, template, config.show_answer)
    schema = answer_schema(steps, longest_reason)
    ids = engine.chat(text, len(problem.images))
    prompt = Prompt(ids, problem.images, problem.max_tiles, problem.max_pixels, schema=schema)
    limit = longest(steps, longest_reason)
    # Settings keep 0 out, where it would make all votes the same one.
    sampling = SamplingConfig(num_solutions=config.votes, temperature=config.temperature, max_tokens=limit)
    if config.votes == 1:
        sampling = sampling.model_copy(update={"temperature": 0.0})
    base = base_seed(seed, *SolutionId.parse(chain.solution_id).parts, key)
    try:
        drawn = await engine.generate(prompt, sampling, config.votes, base, limit)
    except RowError as error:
        return JudgedSolution(chain.solution_id, steps, error=str(error))
    votes = [_vote(one, steps, longest_reason) for one in drawn]
    return JudgedSolution(chain.solution_id, steps, votes, num_prompt_tokens=len(prompt.token_ids))


def _vote(drawn: Completion, steps: int, reason_characters: int) -> Vote:
    tokens = len(drawn.token_ids)
    if drawn.finish_reason == "length":
        return Vote(drawn.seed, tokens, "cut", None)
    found = read_answer(drawn.text, steps, reason_characters)
    return Vote(drawn.seed, tokens, found, None) if isinstance(found, str) else Vote(drawn.seed, tokens, None, found)


class Judge(EngineActor):
    """The actor's callable for Ray Data: a block of problems in, a block of rows of the ledger of judgements out."""

    def __init__(
        self,
        config: RunConfig,
        judging: JudgingConfig,
        template: str,
        model: str,
        ours: str | None,
        before: Spent,
        wanted: Wanted | None = None,
    ) -> None:
        """`config` is the run's, with the judge's engine, seed and run directory; `before` what earlier calls have spent."""
        super().__init__(config, model, ours, wanted=wanted)
        self._judging, self._template = judging, Template(template)
        self._before = before
        # On this machine alone the driver has asked. On a cluster only its nodes need to reach the servers, and have the key.
        self._untried = config.engine.kind == "server" and wanted is not None
        self._trial = asyncio.Lock()
        self._key = judge_key(model, self._template, judging, config.engine.chat_template)

    async def __call__(self, batch: pa.Table) -> AsyncIterator[pa.Table]:
        await self._budget()
        await self._tried()
        block = batch.to_pylist()
        chains = await asyncio.to_thread(read_chains, block)
        lost = await self.losses()
        problems = [unchanged(records.problem_from_row(row)) for row in block]
        rows = [
            self._row(problem, *chains.get(problem.problem_id, ("", [])), lost.get(problem.problem_id, 0))
            for problem in problems
        ]
        yield schemas.table(await asyncio.gather(*rows), JUDGEMENT_SCHEMA)

    async def _tried(self) -> None:
        """Before this actor's first block: whether its servers answer by a schema.

        Raises:
            UserError: they don't.
        """
        async with self._trial:
            if self._untried:
                await check_answers(self._engine, self._config.engine)
                self._untried = False

    async def _budget(self) -> None:
        """Begins no block once the budget is spent: the driver sees the same counters, and ends the run."""
        while (self._before + await asyncio.to_thread(self._spent)).is_all(self._judging):
            await asyncio.sleep(1.0)

    def _spent(self) -> Spent:
        """By all engines of this call of the driver; by the others as they last wrote."""
        return Spent.of_engines(self._meter.snapshots_of_all()) if self._judging.budget is not None else Spent()

    async def _row(self, problem: Problem, policy_key: str, chains: Sequence[Chain], losses: int) -> dict[str, Any]:
        judged: Sequence[JudgedSolution] = ()
        error = given_up(losses) or (None if chains else "no_solutions")
        if error is None:
            async with self.working(problem.problem_id, losses):
                try:
                    judged = await asyncio.gather(*(self._judged(problem, chain) for chain in chains))
                except (EngineDead, StartError):
                    raise
                except Exception as failure:
                    # One row must not end the run for all others; it is counted and shown like any other that failed.
                    error = f"internal_error: {type(failure).__name__}: {failure}"[:500]
        votes = [vote for one in judged for vote in one.votes]
        spent = Spent(sum(one.num_prompt_tokens for one in judged), sum(vote.num_tokens for vote in votes))
        self._meter.add_answers(len(votes), spent.written, spent.read)
        return {
            "problem_id": problem.problem_id,
            "policy_key": policy_key,
            "judge_model": policy_name(self._config.engine),
            "prompt_sha": self._template.sha,
            "show_answer": self._judging.show_answer,
            "error": error,
            "num_prompt_tokens": spent.read,
            "num_tokens": spent.written,
            "cost": spent.cost(self._judging),
            "solutions": [one.row() for one in judged],
        }

    async def _judged(self, problem: Problem, chain: Chain) -> JudgedSolution:
        if not chain.steps:
            return JudgedSolution(chain.solution_id, 0, error="no_steps")
        args = (self._template, self._key, self._engine, self._config.seed, self._judging)
        return await judge_solution(problem, chain, *args)
