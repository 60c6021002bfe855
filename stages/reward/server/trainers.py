"""Routes that speak as trainers of policies do over HTTP: OpenRLHF 0.11 and slime.

Both send texts alone. A `label` may be the right answer, or a JSON object with `answer`, `question` and `images`, which
are data URIs, base64 or names of pictures in the store; without a question it is the prompt's last user turn. The
query string says what steps become: `?reward=min`, and for `ps_grpo` how answers are judged, `&verify=number,math`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import Field

from pipeline.errors import RowError, UserError
from pipeline.settings import Strict
from stages.reward.outcomes import MODES_BY_DEFAULT, Outcomes
from stages.reward.scalars import SCALARS, Scalar, scalar
from stages.reward.server.batcher import Found
from stages.reward.server.refusals import responses
from stages.reward.server.wire import ScoreRequest

_USER = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", re.DOTALL)
Score = Callable[[ScoreRequest], Awaitable[list[tuple[Any, Found]]]]


class OpenRlhf(Strict):
    """What OpenRLHF posts to `--reward.remote_url`: prompt and response in one text, the prompt, the row's label."""

    query: list[str] = Field(min_length=1, max_length=4096)
    prompts: list[str]
    labels: list[Any] | None = None


class Slime(Strict):
    """What slime posts to `--rm-url`."""

    prompt: Any
    response: str
    label: Any = None


class Judges:
    """One verifier for each list of modes that was asked for; they end with the service."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Outcomes] = {}
        self._opening = asyncio.Lock()

    async def correct(self, modes: tuple[str, ...], gold: str, response: str, question: str) -> bool | None:
        async with self._opening:
            if modes not in self._known:
                try:
                    self._known[modes] = await asyncio.to_thread(Outcomes, modes)
                except UserError as error:
                    raise RowError("bad_request", str(error)) from error
        return await self._known[modes].correct(gold, response, question)

    def close(self) -> None:
        for each in self._known.values():
            each.close()


def add_trainers(app: FastAPI, score: Score, judges: Judges) -> None:
    """Adds both routes."""

    @app.post("/openrlhf", responses=responses(404, 422, 429))
    async def openrlhf(request: Request, asked: OpenRlhf) -> dict[str, Any]:
        """`rewards` and `scores`, and for the logs the shortest of each response's scores, and whether it has none."""
        reward, modes = chosen(request)
        labels = asked.labels or [None] * len(asked.query)
        if not len(asked.query) == len(asked.prompts) == len(labels):
            raise RowError(
                "bad_request", f"{len(asked.query)} queries, {len(asked.prompts)} prompts, {len(labels)} labels"
            )
        answers = [query.removeprefix(prompt) for query, prompt in zip(asked.query, asked.prompts, strict=True)]
        found = await asyncio.gather(
            *(
                rewarded(score, judges, reward, modes, prompt, answer, label)
                for prompt, answer, label in zip(asked.prompts, answers, labels, strict=True)
            )
        )
        values = [value or 0.0 for value, _ in found]
        logs = {"unscored": [float(value is None) for value, _ in found], "min_step": [lowest for _, lowest in found]}
        return {"rewards": values, "scores": values, "extra_logs": logs}

    @app.post("/slime", responses=responses(404, 422, 429))
    async def slime(request: Request, asked: Slime) -> dict[str, float]:
        """An object: name one of its keys by `--reward-key`."""
        reward, modes = chosen(request)
        value, lowest = await rewarded(score, judges, reward, modes, asked.prompt, asked.response, asked.label)
        return {"reward": value or 0.0, "unscored": float(value is None), "min_step": lowest}


def chosen(request: Request) -> tuple[Scalar, tuple[str, ...]]:
    """The scalar and the modes of a query string."""
    reward = request.query_params.get("reward", "mean")
    if reward not in SCALARS:
        raise RowError("bad_request", f"reward: {reward!r} is none of {', '.join(SCALARS)}")
    if unknown := set(request.query_params) - {"reward", "verify"}:
        raise RowError("bad_request", f"{min(unknown)}: there are `reward` and `verify`")
    given = tuple(filter(None, request.query_params.get("verify", "").split(",")))
    return reward, given or MODES_BY_DEFAULT


async def rewarded(
    score: Score, judges: Judges, reward: Scalar, modes: tuple[str, ...], prompt: Any, response: str, label: Any
) -> tuple[float | None, float]:
    """The reward, null where the response has no score, and the lowest score of a step.

    Raises:
        RowError: the label or its images can't be used, or `ps_grpo` finds no right answer.
    """
    row = read_label(label)
    question = row.get("question") or asked_in(prompt)
    answer = row.get("answer")
    if reward == "ps_grpo" and answer is None:
        raise RowError("missing_answer", "ps_grpo needs the right answer: give it as the label, or in it as `answer`")
    if not response.strip():
        return None, 0.0
    request = ScoreRequest(question=question, images=row.get("images") or [], response=response)
    ((candidate, scores),) = await score(request)
    if isinstance(scores, RowError):
        return None, 0.0
    found = [score for score in candidate.without_context(scores) if score is not None]
    correct = await judges.correct(modes, str(answer), response, question) if reward == "ps_grpo" else None
    unjudged = reward == "ps_grpo" and correct is None
    return (None if unjudged else scalar(reward, found, correct)), min(found)


def read_label(label: Any) -> dict[str, Any]:
    """A label as an object with `answer`, `question` and `images`, of which each may be missing."""
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError:
            return {"answer": label}  # an answer may begin so, a set say
    if not isinstance(label, dict):
        return {} if label is None else {"answer": label}
    if unknown := set(label) - {"answer", "question", "images"}:
        raise RowError("bad_request", f"label.{min(unknown)}: there are `answer`, `question` and `images`")
    return label


def asked_in(prompt: Any) -> str:
    """The last user turn of a prompt that a chat template wrote, or of messages; else the prompt itself."""
    if isinstance(prompt, list):
        turns = [turn.get("content") for turn in prompt if isinstance(turn, dict) and turn.get("role") == "user"]
        prompt = turns[-1] if turns else ""
    if isinstance(prompt, list):
        prompt = "".join(part.get("text") or "" for part in prompt if isinstance(part, dict))
    turns = _USER.findall(str(prompt))
    return turns[-1] if turns else str(prompt)
