"""What one engine does: problems in, annotated problems out. Runs in a Ray actor; composes the stages."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline import records, schemas
from pipeline.config import RunConfig, SplitConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.engine.policy import policy_key, policy_name
from pipeline.errors import EngineDead, RowError, StartError
from pipeline.records import AnnotatedProblem, FinishReason, Problem, Solution, SolutionId, Step, Verdict
from pipeline.seeds import base_seed
from stages import split as splitting
from stages.annotate.actor import EngineActor, given_up
from stages.annotate.damage import unchanged
from stages.annotate.earlier_run import Given, read_given
from stages.annotate.engines import known_split
from stages.annotate.nodes import Wanted
from stages.annotate.plausible import too_many_cut
from stages.annotate.sample import Template, chat_prompt, sample, user_turn
from stages.annotate.tally import Tally, together
from stages.load.given_responses import COLUMN as RESPONSES
from stages.rollout import Verify, roll_out
from stages.rollout.closing import Closing
from stages.split import opens
from stages.verify.again import judge_again
from stages.verify.of_run import judge
from stages.verify.version import verifier_version

if TYPE_CHECKING:
    from stages.verify.pool import VerifierPool


async def annotate(
    problem: Problem,
    template: Template,
    model: str,
    engine: Engine,
    pool: VerifierPool,
    config: RunConfig,
    given: Given | None = None,
    responses: Sequence[str] | None = None,
) -> AnnotatedProblem:
    """Samples, splits, rolls out and verifies one problem. A `RowError` becomes the row's `error`.

    Args:
        given: solutions that are there already, split and judged, with the draws they may hold; none are sampled. What
            another verifier judged is judged again.
        responses: texts of solutions that another policy wrote; none are sampled. What is `given` came from them.

    Raises:
        EngineDead: the engine is gone.
        StartError: so are all servers.
    """
    result = _unanswered(problem, template, model, config, responses)
    how = known_split(config, engine)
    key = result.policy_key

    def verify(response: str, finish_reason: FinishReason) -> Awaitable[Verdict]:
        return judge(problem, response, finish_reason, template.text, pool, config)

    async def one(index: int, completion: Completion) -> Solution:
        solution = await _solution(SolutionId(problem.problem_id, key, index), completion, prompt, engine, verify, how)
        return await _roll_out(solution, prompt, engine, verify, config, closing)

    try:
        closing = closing_of(template, engine, config)
        prompt = chat_prompt(problem, template, engine)
        if given is not None:
            held = given.solutions
            if given.verifier != result.verifier:
                # Draws of two verifiers under one row would be labelled by whichever judged them.
                held = tuple(await asyncio.gather(*(judge_again(one, lambda _, *it: verify(*it)) for one in held)))
            solutions = await _all(_roll_out(solution, prompt, engine, verify, config, closing) for solution in held)
        elif responses is not None:
            written = [_tokenised(text, engine, config) for text in responses]
            found = await _all(one(index, response) for index, response in enumerate(written))
            solutions = [dataclasses.replace(solution, seed=None) for solution in found]
        else:
            seed = base_seed(config.seed, problem.problem_id, key, "solutions")
            completions = await sample(prompt, engine, config.sampling, seed, closing)
            solutions = await _all(one(index, drawn) for index, drawn in enumerate(completions))
    except (EngineDead, StartError):
        raise
    except RowError as error:
        return dataclasses.replace(result, error=str(error))
    except Exception as error:
        # One row must not end the run for all others; it is counted and shown like any other that failed.
        return dataclasses.replace(result, error=f"internal_error: {type(error).__name__}: {error}"[:500])
    return dataclasses.replace(result, solutions=tuple(solutions))


async def _all(solutions: Iterable[Coroutine[Any, Any, Solution]]) -> list[Solution]:
    """All of them, at once. The first failure ends the others: the row has failed, and they would draw for nothing."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(solution) for solution in solutions]
    except ExceptionGroup as failed:
        # Whatever else went wrong: an engine that is dead must not pass for a row that failed.
        dead = (error for error in failed.exceptions if isinstance(error, (EngineDead, StartError)))
        raise next(dead, failed.exceptions[0]) from None
    return [task.result() for task in tasks]


def _unanswered(
    problem: Problem, template: Template, model: str, config: RunConfig, responses: Sequence[str] | None
) -> AnnotatedProblem:
    """The problem as the policy is asked it, still without solutions."""
    return AnnotatedProblem(
        problem,
        (),
        policy_name(config.engine)
        if responses is None
        else f"{config.input.responses_policy or 'given'} + {policy_name(config.engine)}",
        policy_key(model, template.sha, config),
        user_turn(problem, template),
        template.sha,
        config.rollout.description,
        verifier=verifier_version(),
    )


def _tokenised(text: str, engine: Engine, config: RunConfig) -> Completion:
    """A text as the policy would have written it: from here on it is a solution like any other."""
    ids = engine.encode(text)
    if len(ids) > config.sampling.max_tokens:
        # Its later prefixes would leave no room for a continuation, and every step would look wrong.
        raise RowError("response_too_long", f"{len(ids)} tokens, sampling.max_tokens is {config.sampling.max_tokens}")
    return Completion(ids, text, "stop", seed=0)


async def _solution(
    name: SolutionId, completion: Completion, prompt: Prompt, engine: Engine, verify: Verify, how: SplitConfig
) -> Solution:
    """A sampled response, cut into steps and judged."""
    pieces = splitting.steps_of(completion.text, how)
    ends = engine.ends(completion.token_ids, prompt.token_ids)
    if ends and ends[-1] != len(completion.text):
        raise RowError("token_offsets", f"the tokens give {ends[-1]} characters, the text has {len(completion.text)}")
    spans = splitting.spans(ends, splitting.boundaries(completion.text, [piece.text for piece in pieces]))
    return Solution(
        str(name),
        completion.text,
        completion.token_ids,
        completion.finish_reason,
        completion.seed,
        await verify(completion.text, completion.finish_reason),
        tuple(
            Step(piece.text, span.start, span.end, span.exact, origin="context" if piece.context else "not_sampled")
            for piece, span in zip(pieces, spans, strict=True)
        ),
    )


def closing_of(template: Template, engine: Engine, config: RunConfig) -> Closing | None:
    """What ends a policy's thinking that is too long; null where nothing does.

    Raises:
        RowError: it would leave no token for the answer, so that every closed draw would look wrong.
    """
    limit, text = config.sampling.max_thinking_tokens, template.closing
    if limit is None or text is None:
        return None
    opened = opens(engine.opening) if config.split.opened is None else config.split.opened
    ids = engine.encode(text)
    if limit + len(ids) >= (most := config.sampling.max_tokens):
        raise RowError(
            "no_room_for_answer",
            f"sampling.max_thinking_tokens={limit} and the {len(ids)} tokens of the text that closes the thinking leave no room "
            f"for an answer in sampling.max_tokens={most}: lower the first or raise the last",
        )
    return Closing(text, ids, limit, opened)


async def _roll_out(
    solution: Solution,
    prompt: Prompt,
    engine: Engine,
    verify: Verify,
    config: RunConfig,
    closing: Closing | None = None,
) -> Solution:
    offsets = splitting.boundaries(solution.text, [step.text for step in solution.steps])
    ends = engine.ends(solution.token_ids, prompt.token_ids)
    prefixes = [
        _prefix(solution, step, offset, ends, engine) for step, offset in zip(solution.steps, offsets, strict=True)
    ]
    name = SolutionId.parse(solution.solution_id)
    seeds = [base_seed(config.seed, *name.parts, step) for step in range(len(solution.steps))]
    return await roll_out(solution, prompt, prefixes, seeds, engine, verify, config.sampling, config.rollout, closing)


def _prefix(
    solution: Solution, step: Step, offset: int, ends: list[int], engine: Engine
) -> tuple[str, tuple[int, ...]]:
    """The response up to the end of this step's separator: its text, and the sampled ids as far as they go."""
    ids = solution.token_ids[: step.end]
    if not step.token_exact:
        clean = ends[step.end - 1] if step.end else 0
        ids += engine.encode(solution.text[clean:offset])
    return solution.text[:offset], ids


class Annotator(EngineActor):
    """The actor's callable for Ray Data: a block of problems in, a block of ledger rows out."""

    def __init__(
        self,
        config: RunConfig,
        templates: dict[str, str],
        model: str,
        ours: str | None = None,
        before: Mapping[str, Any] | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        """`before` is the tally of what the ledger held already, as a row."""
        from stages.verify.pool import VerifierPool

        self._model = model
        self._templates = {name: Template(text) for name, text in templates.items()}
        self._before = Tally.from_row(before) if before else Tally()
        self._pool = VerifierPool(config.verify.workers, config.verify.time_limit_s)
        super().__init__(config, model, ours, lambda: self._pool.asked, wanted)

    async def __call__(self, batch: pa.Table) -> AsyncIterator[pa.Table]:
        await self.affordable()
        block = batch.to_pylist()
        given = await asyncio.to_thread(read_given, block)
        problems = [unchanged(records.problem_from_row(row)) for row in block]
        lost = await self.losses()
        rows = await asyncio.gather(
            *(
                self._row(problem, given.get(problem.problem_id), row.get(RESPONSES), lost.get(problem.problem_id, 0))
                for problem, row in zip(problems, block, strict=True)
            )
        )
        await self.noted()
        yield schemas.table(rows, schemas.LEDGER_SCHEMA)

    async def _row(
        self, problem: Problem, given: Given | None, texts: Sequence[str] | None, losses: int
    ) -> dict[str, Any]:
        """The problem's row in the ledger; `losses` engines died over it so far."""
        template = self._templates[problem.prompt]
        if error := given_up(losses):
            item = _unanswered(problem, template, self._model, self._config, texts)
            return records.ledger_row(dataclasses.replace(item, error=error))
        await self._evidence()
        async with self.working(problem.problem_id, losses):
            item = await annotate(problem, template, self._model, self._engine, self._pool, self._config, given, texts)
        self._meter.add(item, given.solutions if given else ())
        return records.ledger_row(item)

    async def _evidence(self) -> None:
        """Begins no problem while too many draws are cut: the driver sees the same counters, and ends the run."""
        while self._cut(self._meter.tally()) and self._cut(await asyncio.to_thread(self._meter.tally_of_all)):
            await asyncio.sleep(1.0)

    def _cut(self, now: Tally) -> bool:
        return too_many_cut(together([self._before, now]), self._config) is not None
