"""What goes over the wire, for the service and its client alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from pipeline.records import SEPARATOR
from pipeline.settings import Strict
from stages.split import places

Text = Annotated[str, StringConstraints(max_length=100_000)]
STORED = "sha256:"
"""How the name of a picture in the store begins; the hash of its bytes follows, in hex digits."""


class Solution(Strict):
    """A solution, as its steps or as one text."""

    steps: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = None
    """The steps, without separators."""
    response: Text | None = None
    """Instead of `steps`: a text that is cut as the model's dataset was, by default at blank lines."""

    @model_validator(mode="after")
    def _one_form(self) -> Solution:
        if (self.steps is None) == (self.response is None):
            raise ValueError("give either `steps` or `response`")
        return self


class ScoreRequest(Strict):
    """One solution, or several of one question."""

    question: Annotated[str, StringConstraints(pattern=r"\S", max_length=100_000)]
    """With `<image>` where each image stands, or without any: then images come first."""
    options: Annotated[list[Text], Field(max_length=26)] = Field(default_factory=list)
    """The texts of a multiple choice, A first; put behind the question, unless it lists them."""
    images: Annotated[list[str], Field(max_length=16)] = Field(default_factory=list)
    """Each in base64, as a data URI, or by the name that `PUT /images` answered."""
    steps: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = None
    """The steps, without separators."""
    response: Text | None = None
    """Instead of `steps`: a text that is cut as the model's dataset was, by default at blank lines."""
    solutions: Annotated[list[Solution], Field(min_length=1, max_length=256)] | None = None
    """Instead of both: several solutions of the question."""
    max_steps: int | None = Field(default=None, ge=1, le=1000)
    """Into how many steps a response is cut at most; by default as many as in the model's dataset (12 in the paper's)."""

    @model_validator(mode="after")
    def _one_form(self) -> ScoreRequest:
        if sum(each is not None for each in (self.steps, self.response, self.solutions)) != 1:
            raise ValueError("give either `steps` or `response`, or several `solutions`")
        return self


class Refusal(Strict):
    """Why a request was refused: a short key that programs can match, and a sentence."""

    error: str
    detail: str
    missing: list[str] | None = None
    """Of `unknown_image`: the pictures that the store doesn't hold."""


class Scored(Strict):
    """A solution's scores."""

    steps: list[str]
    """As they were scored."""
    spans: list[tuple[int, int]]
    """Each step's characters in the response, or in the steps with blank lines between them."""
    step_scores: list[float | None]
    """One a step (an outcome model: one in all); null for steps of a part of the response that the model does not judge."""
    step_low: list[float | None] | None = None
    """Like `step_scores`, the lower ends of the steps' 95 % intervals; null from a model that did not learn counts."""
    step_high: list[float | None] | None = None
    """The upper ends."""
    scores: dict[str, float]
    """The aggregates of `step_scores`, without nulls."""

    @property
    def judged(self) -> list[float]:
        """The scores without nulls."""
        return [score for score in self.step_scores if score is not None]


class SeveralScored(Strict):
    """What was found for each solution, in order."""

    solutions: list[Scored | Refusal]


class Stored(Strict):
    """A picture in the store."""

    image: str
    """Its name for `images` of a request."""
    width: int
    height: int
    bytes: int


class Health(Strict):
    """What is being served."""

    status: str
    model: str
    kind: str
    labels: list[str]
    trained: bool
    """False for a model that was not trained to judge steps."""
    waiting: int


def spans_of(steps: Sequence[str], response: str | None = None) -> list[tuple[int, int]]:
    """The characters of each step without its separator, in the text that they were cut from."""
    if response is not None:
        return [(place.start, place.end) for place in places(response, steps)]
    starts = accumulate((len(step) + len(SEPARATOR) for step in steps), initial=0)
    return [(start, start + len(step)) for start, step in zip(starts, steps, strict=False)]
