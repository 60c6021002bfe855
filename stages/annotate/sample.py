"""Asks the policy for solutions of a problem."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pipeline.config import SamplingConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.records import Problem, asked
from stages.rollout.closing import Closing, draw

CLOSING = "{close_thinking}"
"""Where a prompt file has the text that ends thinking which is too long."""


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt file: its text, in which `{question}` stands for the question, and the hash of it.

    Behind `{close_thinking}` may stand a text that closes the policy's thinking; the policy is shown what comes before.
    """

    text: str

    @property
    def sha(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def closing(self) -> str | None:
        """The text that closes the thinking, on lines of its own and with a blank line after it; null without one."""
        _, mark, after = self.text.partition(CLOSING)
        return f"\n{after.strip()}\n\n" if mark else None

    def fill(self, question: str) -> str:
        shown, mark, _ = self.text.partition(CLOSING)
        return (shown.rstrip("\n") if mark else shown).replace("{question}", question)


def user_turn(problem: Problem, template: Template) -> str:
    """The prompt's text, with the problem's options."""
    return template.fill(asked(problem.question, problem.options))


def chat_prompt(problem: Problem, template: Template, engine: Engine) -> Prompt:
    """The user turn as token ids, with the problem's images where the question has them.

    It goes ahead of continuations: a problem that is new gives none before its solutions are there, and if they waited
    behind those of all problems before it, the engine would run dry whenever these came to their end.
    """
    ids = engine.chat(user_turn(problem, template), len(problem.images))
    return Prompt(ids, problem.images, problem.max_tiles, problem.max_pixels, ahead=True)


async def sample(
    prompt: Prompt, engine: Engine, sampling: SamplingConfig, seed: int, closing: Closing | None = None
) -> list[Completion]:
    """Draws the solutions of one problem; solution k has seed `seed + k`, whether or not the first is greedy.

    Raises:
        RowError: the model can't take the prompt.
        EngineDead: the engine is gone.
    """
    first = int(sampling.greedy_first)
    completions: list[Completion] = []
    if first:
        # Settings keep 0 out, where it would make all draws the same one.
        greedy = sampling.model_copy(update={"temperature": 0.0})
        completions += await draw(engine, prompt, ("", ()), greedy, 1, seed, sampling.max_tokens, closing)
    if drawn := sampling.num_solutions - first:
        completions += await draw(engine, prompt, ("", ()), sampling, drawn, seed + first, sampling.max_tokens, closing)
    return completions
