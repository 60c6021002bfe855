"""Any vision-language model as a critic, by asking it in words (arXiv 2503.10291, table 3's MLLM rows).

`all` shows the numbered steps and reads one answer; `each` asks once a step, with the steps before it; `schema` asks for JSON,
as `visualprm judge` does, of a model that can't be made to write it in words. Scores are 1 and 0. A neutral verdict is no
score. A verdict that can't be read, or of an answer that was cut, is not a score: it is counted. The paper's own prompt is not
printed; ours are in prompts/.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.config import SamplingConfig
from pipeline.engine import Engine, Prompt
from pipeline.errors import RowError
from pipeline.records import IMAGE, SEPARATOR, Image
from pipeline.seeds import base_seed
from pipeline.terminal.speak import say
from stages.evaluate.critic import Item, Judged, Scores
from stages.evaluate.verdicts import read_all, read_one
from stages.judge.answer import StepVerdict, answer_schema, longest, read_answer
from stages.judge.config import JudgingConfig

PLACEHOLDER = re.compile(r"\{(question|steps|step|number|answer)\}")
"""`{answer}` is a judge's, whose prompts a critic asked by a schema takes; to others it is text, such as `\\boxed{answer}`."""
REASON_CHARACTERS = JudgingConfig().reason_characters
_SCORES: Mapping[StepVerdict, float | None] = {"correct": 1.0, "incorrect": 0.0, "neutral": None}


class PromptedCritic:
    """See the module. `template` has `{question}` and `{steps}`; for `each` also `{number}` and `{step}`.

    `{steps}` are all steps, or for `each` the ones before.
    """

    middle = 0.5

    def __init__(
        self,
        engine: Engine,
        template: str,
        judging: Literal["all", "each", "schema"],
        max_tokens: int,
        max_tiles: int,
        in_flight: int,
        seed: int,
        max_pixels: int | None = None,
    ) -> None:
        self._engine, self._template, self._judging = engine, template, judging
        # The most likely token each time; engines take no temperature of 0.
        self._sampling = SamplingConfig(num_solutions=1, temperature=1.0, top_k=1, max_tokens=max_tokens)
        self._max_tiles, self._max_pixels, self._seed = max_tiles, max_pixels, seed
        self._shown = False
        # An engine belongs to one event loop.
        self._runner = asyncio.Runner()
        self._room = asyncio.Semaphore(in_flight)

    def score_many(self, items: Sequence[Item]) -> list[Judged]:
        return self._runner.run(self._all(items))

    def close(self) -> None:
        self._runner.run(self._engine.close())
        self._runner.close()

    async def _all(self, items: Sequence[Item]) -> list[Judged]:
        judge = {"all": self._at_once, "each": self._one_by_one, "schema": self._by_schema}[self._judging]
        return list(await asyncio.gather(*map(judge, items)))

    async def _at_once(self, item: Item) -> Judged:
        steps = len(item.steps)
        try:
            text = await self._ask(item, self._fill(item, steps, ""))
        except RowError as error:
            return Judged([None] * steps, Counter({error.reason: steps}))
        return self._read(text, read_all(text, steps))

    async def _by_schema(self, item: Item) -> Judged:
        steps = len(item.steps)
        schema, limit = answer_schema(steps, REASON_CHARACTERS), longest(steps, REASON_CHARACTERS)
        try:
            text = await self._ask(item, self._fill(item, steps, ""), limit, schema)
        except RowError as error:
            return Judged([None] * steps, Counter({error.reason: steps}))
        found = read_answer(text, steps, REASON_CHARACTERS)
        if isinstance(found, str):
            return self._read(text, [None] * steps)
        scores = [_SCORES[one.verdict] for one in found]
        return Judged(scores, Counter({"neutral": scores.count(None)}) if None in scores else Counter())

    async def _one_by_one(self, item: Item) -> Judged:
        judged = await asyncio.gather(*(self._one(item, index) for index in range(len(item.steps))))
        return Judged([one.scores[0] for one in judged], sum((one.failures for one in judged), Counter()))

    async def _one(self, item: Item, index: int) -> Judged:
        try:
            text = await self._ask(item, self._fill(item, index, item.steps[index]))
        except RowError as error:
            return Judged([None], Counter({error.reason: 1}))
        return self._read(text, [read_one(text)])

    async def _ask(
        self, item: Item, text: str, limit: int | None = None, schema: Mapping[str, Any] | None = None
    ) -> str:
        """The model's answer, of at most `limit` tokens where that follows from the schema.

        Raises:
            RowError: it can't take the prompt, or comes to no end.
        """
        images = tuple(Image.of(data) for data in item.images)
        ids, most = self._engine.chat(text, len(images)), limit or self._sampling.max_tokens
        prompt = Prompt(ids, images, self._max_tiles, self._max_pixels, schema=schema)
        seed = base_seed(self._seed, text, *(image.sha256 for image in images))
        async with self._room:
            done = await self._engine.generate(prompt, self._sampling, 1, seed, most)
        if done[0].finish_reason == "length":
            # Its last word on a step may have been still to come.
            raise RowError("truncated", f"no end after {most} tokens")
        return done[0].text

    def _fill(self, item: Item, count: int, step: str) -> str:
        """The prompt's text. A step that speaks of `<image>` must not become one."""
        shown = [f"Step {number}: {text}" for number, text in enumerate(item.steps[:count], 1)]
        values = {
            "question": item.question,
            "steps": SEPARATOR.join(shown).replace(IMAGE, "image") or "(none)",
            "step": step.replace(IMAGE, "image"),
            "number": str(count + 1),
            # A critic on a bench is not told.
            "answer": "" if self._judging == "schema" else "{answer}",
        }
        return PLACEHOLDER.sub(lambda match: values[match[1]], self._template)

    def _read(self, text: str, scores: Scores) -> Judged:
        """An answer's verdicts; the first answer without one on every step is shown."""
        unread = scores.count(None)
        if unread and not self._shown:
            say(f"an answer without a verdict on every step, for example: {text[-200:]!r}")
            self._shown = True
        return Judged(scores, Counter({"unparsable": unread} if unread else {}))
