"""Any vision-language model as a critic, by asking it in words (arXiv 2503.10291, table 3's MLLM rows).

`all` shows the numbered steps and reads one answer; `each` asks once a step, with the steps before it. Scores are 1 and
0. A verdict that can't be read is not a score: it is counted. The paper's own prompt is not printed; ours are in prompts/.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pipeline.config import SamplingConfig
from pipeline.engine import Engine, Prompt
from pipeline.errors import RowError
from pipeline.records import Image
from pipeline.seeds import base_seed
from stages.evaluate.critic import Item, Scores
from stages.evaluate.verdicts import read_all, read_one

IMAGE = "<image>"
PLACEHOLDER = re.compile(r"\{(question|steps|step|number)\}")


class PromptedCritic:
    """See the module. `template` has `{question}` and `{steps}`; for `each` also `{number}` and `{step}`.

    `{steps}` are all steps, or for `each` the ones before.
    """

    middle = 0.5

    def __init__(
        self,
        engine: Engine,
        template: str,
        judging: Literal["all", "each"],
        max_tokens: int,
        max_tiles: int,
        in_flight: int,
        seed: int,
    ) -> None:
        self.failures: Counter[str] = Counter()
        self._engine, self._template, self._judging = engine, template, judging
        # The most likely token each time; engines take no temperature of 0.
        self._sampling = SamplingConfig(num_solutions=1, temperature=1.0, top_k=1, max_tokens=max_tokens)
        self._max_tiles, self._seed = max_tiles, seed
        # An engine belongs to one event loop.
        self._runner = asyncio.Runner()
        self._room = asyncio.Semaphore(in_flight)

    def score_many(self, items: Sequence[Item]) -> list[Scores]:
        return self._runner.run(self._all(items))

    def close(self) -> None:
        self._runner.run(self._engine.close())
        self._runner.close()

    async def _all(self, items: Sequence[Item]) -> list[Scores]:
        return list(await asyncio.gather(*map(self._item, items)))

    async def _item(self, item: Item) -> Scores:
        if self._judging == "all":
            text = await self._ask(item, self._fill(item, len(item.steps), ""), len(item.steps))
            scores = read_all(text or "", len(item.steps))
            self._count(text, scores)
            return scores
        answers = await asyncio.gather(
            *(self._ask(item, self._fill(item, index, step), 1) for index, step in enumerate(item.steps))
        )
        scores = [read_one(text) if text is not None else None for text in answers]
        for text, score in zip(answers, scores, strict=True):
            self._count(text, [score])
        return scores

    async def _ask(self, item: Item, text: str, steps: int) -> str | None:
        """The model's answer; None, counted, where it can't take the prompt."""
        images = tuple(Image.of(data) for data in item.images)
        prompt = Prompt(self._engine.chat(text, len(images)), images, self._max_tiles)
        seed = base_seed(self._seed, text, *(image.sha256 for image in images))
        async with self._room:
            try:
                done = await self._engine.generate(prompt, self._sampling, 1, seed, self._sampling.max_tokens)
            except RowError as error:
                self.failures[error.reason] += steps
                return None
        return done[0].text

    def _fill(self, item: Item, count: int, step: str) -> str:
        """The prompt's text. A step that speaks of `<image>` must not become one."""
        shown = [f"Step {number}: {text}" for number, text in enumerate(item.steps[:count], 1)]
        values = {
            "question": item.question,
            "steps": "\n\n".join(shown).replace(IMAGE, "image") or "(none)",
            "step": step.replace(IMAGE, "image"),
            "number": str(count + 1),
        }
        return PLACEHOLDER.sub(lambda match: values[match[1]], self._template)

    def _count(self, text: str | None, scores: Scores) -> None:
        if text is not None and (unread := scores.count(None)):
            if not self.failures["unparsable"]:
                print(f"an answer without a verdict on every step, for example: {text[-200:]!r}", file=sys.stderr)
            self.failures["unparsable"] += unread
