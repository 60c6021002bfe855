"""Opens a critic: our process reward models, or any model that vLLM serves."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from pipeline.config import EngineConfig
from pipeline.engine.policy import check_start
from pipeline.errors import RowError, UserError
from pipeline.inputs import read_input
from pipeline.prompts import prompt_file
from pipeline.settings import Strict
from stages.evaluate.critic import Critic, Item, Judged
from stages.judge.judge import with_schemas
from stages.judge.trial import check_schema

Judging = Literal["all", "each", "schema"]
DEFAULT_PROMPTS: Mapping[Judging, str] = {
    "all": "critic_all_v2.txt",
    "each": "critic_each_v2.txt",
    "schema": "judge_v1.txt",
}

if TYPE_CHECKING:
    from stages.reward.open_scorer import Backend


class CriticConfig(Strict):
    """What kind of critic a model is, and how it is asked. All but `critic`, `backend` and `like` is for prompted ones."""

    critic: Literal["prm", "prompted"] = "prm"
    """`prm`: a process reward model of ours. `prompted`: any model that vLLM serves, asked in words."""
    backend: Literal["hf", "vllm"] = Field(default="hf", exclude_if=lambda backend: backend == "hf")
    """What runs a reward model: transformers (`hf`) or vLLM."""
    like: str | None = None
    """A reward model's folder: a model that is not a reward model is shown the same conversations and read at the same places."""
    judging: Judging = "all"
    """All steps are judged in one answer, or each step in one of its own, in words; `schema` asks as `visualprm judge` does."""
    prompt: str | None = None
    """A prompt file; prompts/critic_<judging>_v2.txt by default, for `schema` prompts/judge_v1.txt."""
    max_tokens: int = Field(default=2048, ge=1)
    """The most tokens of an answer in words; one by a schema has its own bound."""
    max_tiles: int = Field(default=6, ge=1)
    """The most tiles that an image is cut into, for models that tile."""
    max_pixels: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """The most pixels of an image, for models that count them."""
    engine: EngineConfig = EngineConfig()
    """What the model runs on; the command's model replaces `engine.model`."""
    seed: int = 0
    """Of draws and of the bootstrap."""

    @model_validator(mode="after")
    def _heeds_all(self) -> CriticConfig:
        if self.judging == "schema" and "max_tokens" in self.model_fields_set:
            raise ValueError("max_tokens with judging=schema: the longest answer follows from the schema: leave it out")
        return self


class PrmCritic:
    """A process reward model, or a model that was never trained to be one, read in the same way.

    `like`: the reward model whose layout a model without `prm_config.json` is shown.
    """

    def __init__(self, path: str, like: str | None = None, backend: Backend = "hf") -> None:
        from stages.reward.model import read_config
        from stages.reward.open_scorer import ended, load_scorer

        if read_config(path, like).kind != "prm":
            raise UserError(
                f"{like or path}: an outcome model scores whole responses, a bench of steps needs a process model"
            )
        self._opened = ExitStack()
        self._model = self._opened.enter_context(ended(load_scorer(path, backend, like=like)))
        self.middle = self._model.config.middle

    def score_many(self, items: Sequence[Item]) -> list[Judged]:
        from stages.reward.model import Candidate

        found = self._model.score_many([Candidate(item.question, item.images, item.steps) for item in items])
        return [_judged(item, of_one) for item, of_one in zip(items, found, strict=True)]

    def close(self) -> None:
        self._opened.close()
        del self._model


def _judged(item: Item, found: list[float] | RowError) -> Judged:
    if isinstance(found, RowError):
        return Judged([None] * len(item.steps), Counter({found.reason: len(item.steps)}))
    return Judged([*found])


def open_critic(model: str, settings: CriticConfig) -> Critic:
    """Loads the model that the settings say how to ask.

    Raises:
        UserError: there is no such model, its engine can't run so, its servers don't answer by the schema of `judging`, the prompt
            file can't be read or lacks a placeholder.
    """
    if settings.critic == "prm":
        return PrmCritic(model, settings.like, settings.backend)
    if settings.like is not None:
        raise UserError("--like is for reward models: critic=prompted asks in words, leave out one of the two")
    if settings.backend != "hf":
        raise UserError("backend: is for reward models: a prompted critic runs on vLLM; leave it out")
    from pipeline.engine import make_engine
    from stages.evaluate.prompted import PromptedCritic

    template = read_prompt(settings)
    engine_config = settings.engine.model_copy(update={"model": model})
    if settings.judging == "schema":
        engine_config = with_schemas(engine_config)
    check_start(engine_config, continues=False)
    if settings.judging == "schema" and engine_config.kind == "server":
        asyncio.run(check_schema(engine_config))
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    engine = make_engine(engine_config)
    return PromptedCritic(
        engine,
        template,
        settings.judging,
        settings.max_tokens,
        settings.max_tiles,
        settings.engine.max_in_flight,
        settings.seed,
        settings.max_pixels,
    )


def read_prompt(settings: CriticConfig) -> str:
    """What a model is asked in words, with its placeholders.

    Raises:
        UserError: the file can't be read, or lacks a placeholder.
    """
    name = settings.prompt or str(prompt_file(DEFAULT_PROMPTS[settings.judging]))
    text = read_input("prompt", name, settings.folders).rstrip("\n")
    needed = ("{question}", "{steps}", *(["{step}"] if settings.judging == "each" else []))
    if missing := [key for key in needed if key not in text]:
        raise UserError(f"prompt: {name}: judging={settings.judging} needs {missing[0]} in it")
    return text
