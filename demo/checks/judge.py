"""A judge of the demo's steps whose error rates are set: the oracle's verdicts, some of them turned.

    visualprm judge runs/demo --with configs/judge_demo.yaml engine.args.misses=0.2

It reads the prompt that any judge is sent and answers by the schema, so that it comes through the same door. Its settings
are `engine.args`: `run`, whose problems it knows; `misses`, the share of wrong steps that it calls right; `false_alarms`, the
share of right ones that it calls wrong; `truth`, whether it judges a `step` by itself or everything up to it (`prefix`).
With `correlated` it misreads pictures as the policy does: whether it believes a wrong reading is decided once for a problem
and reading, and then holds for every vote, every solution and every step that follows from it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence

from demo.checks.known import KnownProblems, text_of
from demo.oracle import StepTruth, judge_steps
from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import RowError, UserError
from stages.judge.answer import Category

CATEGORIES: Mapping[str, Category] = {"reading": "reading", "arithmetic": "arithmetic", "final": "logic"}
"""Of the oracle's kinds of steps; any other is `other`."""
_STEP = re.compile(r"(?:^|\n\n)Step \d+: ")


def oracle_judge(config: EngineConfig) -> OracleJudge:
    """What `engine.model: demo.checks.judge:oracle_judge` names."""
    return OracleJudge(config)


class OracleJudge(ScriptedEngine):
    """See the module."""

    def __init__(self, config: EngineConfig) -> None:
        """Raises:
        UserError: there is a setting that it does not know, or no run.
        """
        known = {"run": "", "misses": 0.0, "false_alarms": 0.0, "truth": "prefix", "correlated": False}
        if unknown := sorted(config.args.keys() - known.keys()):
            raise UserError(f"engine.args.{unknown[0]}: the demo's judge heeds {', '.join(known)}")
        settings = {**known, **config.args}
        super().__init__(config.model_copy(update={"args": {}}))
        self.misses, self.false_alarms = settings["misses"], settings["false_alarms"]
        self.truth, self.correlated = settings["truth"], settings["correlated"]
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
        if (schema := prompt.schema) is None:
            raise RowError("prompt_refused", "the demo's judge answers by a schema alone")
        name = self._known.name(prompt)
        _, _, solution = text_of(prompt).rpartition("\nSolution:\n")
        steps = _STEP.split(solution.partition("\n\nAnswer in JSON")[0])[1:]
        truths = judge_steps(name, steps)
        has_reason = "reason" in schema["properties"]["steps"]["items"]["properties"]
        drawn = []
        for j in range(n):
            said = verdicts(name, steps, truths, self, random.Random(seed + j))
            answer = [{**({"reason": ""} if has_reason else {}), **one} for one in said]
            drawn.append(self._completion(json.dumps({"steps": answer}), seed + j, max_tokens))
        return drawn


def verdicts(
    name: str, steps: Sequence[str], truths: Sequence[StepTruth], judge: OracleJudge, rng: random.Random
) -> list[dict[str, str]]:
    """What the judge says of each step."""
    found = []
    believed: bool | None = None
    for step, truth in zip(steps, truths, strict=True):
        right = truth.prefix_ok if judge.truth == "prefix" else truth.step_ok
        # Always one number a step, so that one step's verdict does not depend on another's.
        chance = rng.random()
        if not truth.step_ok and truth.kind == "reading" and judge.correlated:
            believed = random.Random(f"{name}\x1f{step.strip()}").random() < judge.misses
        if right:
            said = "incorrect" if chance < judge.false_alarms else "correct"
        else:
            missed = chance < judge.misses if believed is None else believed
            said = "correct" if missed else "incorrect"
        category = "none" if said == "correct" else "other" if right else CATEGORIES.get(truth.kind, "other")
        found.append({"verdict": said, "category": category})
    return found
