"""A policy of the demo's problems that repairs its errors: the case for which judges of steps were invented.

    visualprm dataset configs/repairing_demo.yaml engine.args.repairs=0.15

It makes the mistakes of `demo.reasoning`, as often as they are made there. With the probability `engine.args.repairs` a
response, or a continuation of one, is drawn by a policy that looks back: before every line it writes down anew whatever is
wrong so far, the oldest first, and goes on with that. So a wrong step stays wrong, and what comes after it may be right again;
and mc of a prefix in which something is wrong is that probability, whatever is wrong.
"""

from __future__ import annotations

import random

from demo.benchmark import problem
from demo.checks.known import KnownProblems, text_of
from demo.oracle import held_after
from demo.reasoning import STEP_SEPARATOR, continuation
from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import UserError

ASKED = "Solve step by step.\n"
"""The end of the prompt (`prompts/demo_v1.txt`): the response comes behind it."""


def repairing_policy(config: EngineConfig) -> RepairingPolicy:
    """What `engine.model: demo.checks.repairing:repairing_policy` names."""
    return RepairingPolicy(config)


class RepairingPolicy(ScriptedEngine):
    """See the module. `engine.args.run` names the run that it draws for, whose problems it knows."""

    def __init__(self, config: EngineConfig) -> None:
        """Raises:
        UserError: there is a setting that it does not know, or no run.
        """
        known = {"run": "", "repairs": 0.15}
        if unknown := sorted(config.args.keys() - known.keys()):
            raise UserError(f"engine.args.{unknown[0]}: the repairing policy heeds {', '.join(known)}")
        settings = {**known, **config.args}
        super().__init__(config.model_copy(update={"args": {}}))
        self._repairs = settings["repairs"]
        self._known = KnownProblems(settings["run"])

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        n: int,
        seed: int,
        max_tokens: int,
        *,
        stop: str | None = None,
    ) -> list[Completion]:
        plan = problem(self._known.name(prompt)).plan
        written = text_of(prompt).rpartition(ASKED)[2]
        held = held_after(plan, [step for step in written.split(STEP_SEPARATOR) if step])
        drawn = []
        for j in range(n):
            rng = random.Random(seed + j)
            looks_back = rng.random() < self._repairs
            lines = continuation(plan, held, rng, repairs=float(looks_back))
            drawn.append(self._completion(STEP_SEPARATOR.join(lines), seed + j, max_tokens))
        return drawn
