"""The settings of a judge: `visualprm judge RUN --with FILE`."""

from __future__ import annotations

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


class JudgeConfig(Strict):
    """Everything that judging needs beside the run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the folder of the judgements, `judgements/<name>` in the run directory."""
    seed: int = 0
    """Every random number follows from it."""
    engine: EngineConfig = EngineConfig()
    judge: JudgingConfig = JudgingConfig()
    ray: RayConfig = RayConfig()
