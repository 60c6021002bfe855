"""`visualprm serve`: a reward model over HTTP, for programs on this machine.

Requests that arrive within a few milliseconds of each other are scored in one batch. Images come in the request:
nothing is fetched and no file is read on a client's word.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints, model_validator

from pipeline.errors import RowError, UserError
from pipeline.records import asked
from pipeline.settings import Strict
from stages.load.sources.images import image_sizes, read_images
from stages.reward.aggregate import aggregate
from stages.reward.model import UNTRAINED, Candidate, Scorer, check_steps
from stages.split import split

Text = Annotated[str, StringConstraints(max_length=100_000)]


class Limits(Strict):
    """What a service takes."""

    body_bytes: int = 32 << 20
    """The largest request; base64 makes an image a third larger."""
    image_bytes: int = 16 << 20
    """The largest encoded image."""
    pixels: int = 1 << 26
    """Of all images of a request, as their headers state them: decoded they take three bytes each."""
    batch: int = 32
    """The most solutions in one batch."""
    wait_s: float = 0.005
    """How long the first request of a batch waits for others."""
    waiting: int = 1024
    """Requests in the queue beyond which new ones are turned away."""


class ScoreRequest(Strict):
    """A solution, as its steps or as one text."""

    question: Annotated[str, StringConstraints(pattern=r"\S", max_length=100_000)]
    """With `<image>` where each image stands, or without any: then images come first."""
    options: Annotated[list[Text], Field(max_length=26)] = Field(default_factory=list)
    """The texts of a multiple choice, A first; put behind the question, unless it lists them."""
    images: Annotated[list[str], Field(max_length=16)] = Field(default_factory=list)
    """Each encoded in base64, or as a data URI."""
    steps: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = None
    """The steps, without separators."""
    response: Text | None = None
    """Instead of `steps`: a text that is cut at blank lines."""
    max_steps: int = Field(default=12, ge=1, le=1000)
    """Into how many steps a response is cut at most."""

    @model_validator(mode="after")
    def _one_solution(self) -> ScoreRequest:
        if (self.steps is None) == (self.response is None):
            raise ValueError("give either `steps` or `response`")
        return self


class ScoreResponse(Strict):
    """The steps that were scored, a score for each (an outcome model: one in all), and their aggregates."""

    steps: list[str]
    step_scores: list[float]
    scores: dict[str, float]


class Health(Strict):
    """What is being served."""

    status: str
    model: str
    kind: str
    labels: list[str]
    trained: bool
    """False for a model that was not trained to judge steps."""
    waiting: int


class Refusal(Strict):
    """Why a request was refused: a short key that programs can match, and a sentence."""

    error: str
    detail: str


class Batcher:
    """Gathers requests and scores them together, in a thread: the event loop stays free."""

    def __init__(self, scorer: Scorer, limits: Limits) -> None:
        self._scorer = scorer
        self._limits = limits
        self._queue: asyncio.Queue[tuple[Candidate, asyncio.Future[list[float]]]] = asyncio.Queue(limits.waiting)

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    async def score(self, candidate: Candidate) -> list[float]:
        """Raises RowError as `ProcessRewardModel.score`; `asyncio.QueueFull` when too many wait."""
        result: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((candidate, result))
        return await result

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            batch = [await self._queue.get()]
            await asyncio.sleep(self._limits.wait_s)
            while len(batch) < self._limits.batch and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            found: Sequence[list[float] | Exception]
            try:
                found = await asyncio.to_thread(self._scorer.score_many, [candidate for candidate, _ in batch])
            except Exception as error:  # every request of the batch has to hear of it, and the next batch gets its turn
                found = [error for _ in batch]
            for (_, result), own in zip(batch, found, strict=True):
                if result.cancelled():
                    continue
                if isinstance(own, Exception):
                    result.set_exception(own)
                else:
                    result.set_result(own)


def create_app(scorer: Scorer, limits: Limits | None = None) -> FastAPI:
    """The service as an ASGI application."""
    limits = limits or Limits()
    batcher = Batcher(scorer, limits)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(batcher.run())
        yield
        worker.cancel()

    app = FastAPI(title="visualprm", description="Scores for the steps of a solution.", lifespan=lifespan)
    app.add_middleware(BodyLimit, most=limits.body_bytes)
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": Refusal} for code in (413, 422, 503)}

    @app.exception_handler(RowError)
    async def refuse(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RowError)
        return problem(422, error.reason, error.detail)

    @app.exception_handler(RequestValidationError)
    async def explain(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][1:])
        message = first["msg"].removeprefix("Value error, ")
        return problem(422, "bad_request", f"{key}: {message}" if key else message)

    @app.exception_handler(asyncio.QueueFull)
    async def turn_away(_: Request, __: Exception) -> JSONResponse:
        return problem(503, "busy", f"{limits.waiting} requests are waiting; try again later")

    @app.get("/health")
    async def health() -> Health:
        """Is the model loaded, and which is it?"""
        return Health(
            status="ok",
            model=scorer.name,
            kind=scorer.config.kind,
            labels=list(scorer.config.labels),
            trained=scorer.config.data_fingerprint != UNTRAINED,
            waiting=batcher.waiting,
        )

    @app.post("/score", responses=refusals)
    async def score(request: ScoreRequest) -> ScoreResponse:
        """Scores every step of a solution."""
        candidate = await asyncio.to_thread(read_candidate, request, limits)
        found = await batcher.score(candidate)
        return ScoreResponse(steps=list(candidate.steps), step_scores=found, scores=aggregate(found))

    return app


def read_candidate(request: ScoreRequest, limits: Limits) -> Candidate:
    """The solution that a request holds, with its images decoded and checked.

    Raises:
        RowError: an image can't be used, or a step is empty.
    """
    steps = request.steps if request.steps is not None else split(request.response or "", request.max_steps)
    check_steps(steps)
    for image in request.images:
        if len(image) * 3 // 4 > limits.image_bytes:
            raise RowError("image_too_large", f"an image has more than {limits.image_bytes} bytes")
    # As a data URI nothing can be taken for the name of a file.
    uris = [image if image.startswith("data:") else f"data:;base64,{image}" for image in request.images]
    pixels = sum(width * height for width, height, _ in image_sizes(uris, None))
    if pixels > limits.pixels:
        raise RowError("image_too_large", f"the images have {pixels:,} pixels; a request has at most {limits.pixels:,}")
    question = asked(request.question, request.options)
    return Candidate(question, read_images(uris, None) if uris else (), tuple(steps))


def check_place(host: str, port: int) -> None:
    """Tries to listen, so that a model isn't loaded in vain.

    Raises:
        UserError: the port is taken or not allowed, or the host is not this machine's.
    """
    if not 0 <= port < 1 << 16:
        # The system would take some of its bits.
        raise UserError(f"--port {port}: must be from 0 to 65535")
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as tried:
            # As the service itself does: connections of an earlier one that are still closing are no hindrance.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise UserError(f"--host {host} --port {port}: {error.strerror}: choose another port or host") from error


def serve(scorer: Scorer, host: str, port: int) -> None:
    """Answers until it is stopped."""
    import uvicorn

    uvicorn.run(create_app(scorer), host=host, port=port, log_level="warning")


def problem(status: int, error: str, detail: str) -> JSONResponse:
    return JSONResponse(Refusal(error=error, detail=detail).model_dump(), status_code=status)


class BodyLimit:
    """Refuses a body that is too large before it is held in memory, whatever its headers say."""

    def __init__(self, app: Callable[..., Awaitable[None]], most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await problem(413, "body_too_large", f"a request has at most {self._most} bytes")(scope, receive, send)
                return
        held = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Any:
            return held.pop() if held else await receive()

        await self._app(scope, replay, send)
