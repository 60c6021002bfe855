"""Step-level beam search: a policy writes one step at a time, a reward model says which beginnings go on.

As in the compute-scaling studies (arXiv 2408.03314, section 5): every beam gets `expand` next steps, the best `beams`
of all stay, by the aggregated score of their steps so far. A beginning that has come to its end competes as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.config import SamplingConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.errors import RowError
from pipeline.records import SEPARATOR, FinishReason
from pipeline.seeds import base_seed

Score = Callable[[Sequence[str]], Awaitable[list[float]]]
"""For texts that begin a solution: how good each is, higher is better."""


@dataclass(frozen=True, slots=True)
class Beam:
    """A beginning of a solution, or a whole one if `finish_reason` says how it ended."""

    text: str
    token_ids: tuple[int, ...]
    score: float
    finish_reason: FinishReason | None


@dataclass(frozen=True, slots=True)
class Found:
    """The best solution, and how many tokens were generated on the way, those of dropped beams included."""

    best: Beam
    num_tokens: int


async def search(
    prompt: Prompt,
    engine: Engine,
    score: Score,
    sampling: SamplingConfig,
    beams: int,
    expand: int,
    max_steps: int,
    seed: int,
) -> Found:
    """The finished solution with the highest score.

    The first step is drawn `beams × expand` times. After `max_steps` steps the beams that are still open are
    written to their end at once. A beam that the model cannot continue, for example because it is too long, is dropped. The same
    seed gives the same solution.

    Raises:
        RowError: the model cannot take the prompt, or cannot continue any beam.
        EngineDead: the engine is gone.
    """
    kept = [Beam("", (), 0.0, None)]
    spent = 0
    for depth in range(max_steps + 1):
        opened = [beam for beam in kept if beam.finish_reason is None]
        if not opened:
            break
        last = depth == max_steps
        n = 1 if last else expand if depth else beams * expand
        drawn = await asyncio.gather(
            *(
                _continue(beam, prompt, engine, sampling, n, base_seed(seed, depth, rank), None if last else SEPARATOR)
                for rank, beam in enumerate(opened)
            )
        )
        refused = [completions for completions in drawn if isinstance(completions, RowError)]
        ended = [beam for beam in kept if beam.finish_reason is not None]
        if len(refused) == len(drawn) and not ended:
            raise refused[0]
        grown = [(beam, done) for beam, done in zip(opened, drawn, strict=True) if not isinstance(done, RowError)]
        spent += sum(len(completion.token_ids) for _, completions in grown for completion in completions)
        children = {
            child.text: child
            for beam, completions in grown
            for child in (_child(beam, completion, prompt, engine, last) for completion in completions)
        }
        scores = await score(list(children))
        fresh = [Beam(c.text, c.token_ids, s, c.finish_reason) for c, s in zip(children.values(), scores, strict=True)]
        # A stable sort: among equals the earlier drawn stays.
        kept = sorted([*ended, *fresh], key=lambda beam: -beam.score)[:beams]
    return Found(kept[0], spent)


async def _continue(
    beam: Beam, prompt: Prompt, engine: Engine, sampling: SamplingConfig, n: int, seed: int, stop: str | None
) -> list[Completion] | RowError:
    at = replace(prompt, token_ids=prompt.token_ids + beam.token_ids, ahead=False)
    room = max(1, sampling.max_tokens - len(beam.token_ids))
    try:
        return await engine.generate(at, sampling, n, seed, room, stop=stop)
    except RowError as error:
        return error


def _child(beam: Beam, completion: Completion, prompt: Prompt, engine: Engine, last: bool) -> Beam:
    ids = completion.token_ids
    ends = engine.ends(ids, prompt.token_ids + beam.token_ids)
    if ends and ends[-1] != len(completion.text):
        # The token that ends the step holds text beyond it, which a next step must be free to write anew.
        ids = engine.encode(completion.text)
    goes_on = completion.finish_reason == "stop" and completion.text.endswith(SEPARATOR) and not last
    reason = None if goes_on else completion.finish_reason
    return Beam(beam.text + completion.text, beam.token_ids + ids, 0.0, reason)
