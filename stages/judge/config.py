"""The settings of a judge: `visualprm judge RUN|DATASET --with FILE`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.config import EngineConfig, RayConfig
from pipeline.settings import Strict


class JudgingConfig(Strict):
    """What the judge is shown, and what is asked of it."""

    prompt: str = "prompts/judge_v1.txt"
    """The prompt file, with `{question}`, `{steps}` and, for `show_answer`, `{answer}`."""
    votes: int = Field(default=1, ge=1)
    """Answers on each solution; the verdict on a step is that of more than half of those that could be read."""
    temperature: float = Field(default=0.7, gt=0)
    """Of several votes; a single one takes the likeliest token each time."""
    show_answer: bool = False
    """Whether the judge is shown the right answer; recorded with each judgement."""
    reason_characters: int = Field(default=200, ge=0, le=200)
    """The longest reason for a verdict, in characters; 0 for none."""
    price: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = None
    """What a million tokens cost in your currency, those that the judge reads and those that it writes; null: nobody bills."""
    budget: float | None = Field(default=None, gt=0)
    """What judging may cost over all calls, by `price`, or without one in tokens, read and written; null: no limit."""

    @property
    def asked(self) -> dict[str, Any]:
        """The settings that answers depend on, as JSON values."""
        return self.model_dump(mode="json", exclude={"price", "budget"})


class JudgeConfig(Strict):
    """Everything that judging needs beside the run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the folder of the judgements: `judgements/<name>` in the run directory, or `<dataset>.judgements/<name>`."""
    seed: int = 0
    """Every random number follows from it."""
    engine: EngineConfig = EngineConfig()
    judge: JudgingConfig = JudgingConfig()
    ray: RayConfig = RayConfig()
