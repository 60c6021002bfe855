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
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow.parquet as pq

from demo.oracle import StepTruth, judge_steps
from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import IMAGE_TOKEN, ScriptedEngine
from pipeline.errors import RowError, UserError
from pipeline.records import IMAGE
from pipeline.store import Store
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
        self._names = _names(Store(settings["run"]))

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
        text = bytes(token for token in prompt.token_ids if token != IMAGE_TOKEN).decode()
        name = self._name(text, prompt.images[0].sha256)
        _, _, solution = text.rpartition("\nSolution:\n")
        steps = _STEP.split(solution.partition("\n\nAnswer in JSON")[0])[1:]
        truths = judge_steps(name, steps)
        has_reason = "reason" in schema["properties"]["steps"]["items"]["properties"]
        drawn = []
        for j in range(n):
            said = verdicts(name, steps, truths, self, random.Random(seed + j))
            answer = [{**({"reason": ""} if has_reason else {}), **one} for one in said]
            drawn.append(self._completion(json.dumps({"steps": answer}), seed + j, max_tokens))
        return drawn

    def _name(self, text: str, sha256: str) -> str:
        """The benchmark's id of the problem that a prompt is about: its picture's, and the longest question that is in it."""
        found = [(len(question), name) for question, name in self._names.get(sha256, ()) if question in text]
        if not found:
            raise RowError("prompt_refused", "no problem of engine.args.run has this picture and question")
        return max(found)[1]


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


def _names(store: Store) -> Mapping[str, Sequence[tuple[str, str]]]:
    """By the hash of the picture: the questions about it, without their place for it, and the benchmark's ids."""
    files = store.problem_files()
    if not files:
        raise UserError(f"engine.args.run: {store.uri}: no run with loaded problems is here")
    columns = ["row_id", "question", "images.list.element.sha256"]
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in files:
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            rows = file.read(columns=columns).to_pylist()
        for row in rows:
            found[row["images"][0]["sha256"]].append((row["question"].replace(IMAGE, "").strip(), row["row_id"]))
    return found
