"""The service's routes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from pipeline.errors import RowError
from stages.reward.aggregate import aggregate
from stages.reward.model import Candidate, Scorer
from stages.reward.server.batcher import Batcher, Found
from stages.reward.server.guard import Guard
from stages.reward.server.limits import Limits
from stages.reward.server.metrics import Metrics
from stages.reward.server.pictures import Store, read_picture
from stages.reward.server.reading import read_candidates
from stages.reward.server.refusals import install, refusal, responses
from stages.reward.server.trainers import Judges, add_trainers
from stages.reward.server.wire import STORED, Health, Refusal, Scored, ScoreRequest, SeveralScored, Stored, spans_of

Result = TypeVar("Result")


class Service:
    """A scorer with its queue, its store, and threads that read requests: parsing and decoding take time, too.

    Pictures have a thread of their own: a request that names stored ones doesn't wait behind what others decode.
    """

    def __init__(self, scorer: Scorer, limits: Limits) -> None:
        self.scorer = scorer
        self.limits = limits
        self.metrics = Metrics()
        self.batcher = Batcher(scorer, limits, self.metrics)
        self.store = Store(limits)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
        # One, so that one decoded picture is in memory at once, and one core is busy with it, when the scorer leaves it one.
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decoder", initializer=_step_back)
        self.metrics.gauge("waiting", "Solutions in the queue", lambda: self.batcher.waiting)
        self.metrics.gauge("pictures", "Pictures in the store", lambda: len(self.store))
        self.metrics.gauge("picture_bytes", "Bytes of the pictures in the store", lambda: self.store.size)

    async def read(self, function: Callable[..., Result], *given: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._reader, function, *given)

    async def decode(self, function: Callable[..., Result], *given: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._decoder, function, *given)

    async def put(self, data: bytes) -> Stored:
        stored, picture = await self.decode(read_picture, data, self.limits)
        self.store.put(stored, picture)
        return stored

    async def score(self, request: ScoreRequest) -> list[tuple[Candidate | None, Found]]:
        """Each solution as it was read, and its scores, or why it has none."""
        aside = self.read if all(image.startswith(STORED) for image in request.images) else self.decode
        candidates = await aside(
            read_candidates, request, self.store.fetched(request.images), self.limits, self.scorer.config
        )
        scored = iter(await self.batcher.score([each for each in candidates if isinstance(each, Candidate)]))
        return [(each, next(scored)) if isinstance(each, Candidate) else (None, each) for each in candidates]

    def close(self) -> None:
        for each in (self._reader, self._decoder):
            each.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    """This thread works when others don't: on Linux a thread has a niceness of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def create_app(scorer: Scorer, limits: Limits | None = None, key: str | None = None) -> Guard:
    """The service as an ASGI application; with a `key` requests must bring it."""
    service = Service(scorer, limits or Limits())
    judges = Judges()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(service.batcher.run())
        yield
        worker.cancel()
        service.close()
        judges.close()

    app = FastAPI(title="visualprm", description="Scores for the steps of a solution.", lifespan=lifespan)
    install(app)
    _add_watching(app, service)
    _add_scoring(app, service)
    add_trainers(app, service.score, judges)
    paths = frozenset(getattr(route, "path", "") for route in app.routes)
    return Guard(app, service.limits, service.metrics, key, paths)


def _add_watching(app: FastAPI, service: Service) -> None:
    scorer, batcher = service.scorer, service.batcher
    started = int(time.time())

    @app.get("/health")
    async def health() -> Health:
        """Which model is being served?"""
        return Health(
            status="ok",
            model=scorer.name,
            kind=scorer.config.kind,
            labels=list(scorer.config.labels),
            trained=scorer.config.trained,
            waiting=batcher.waiting,
        )

    @app.get("/ready", response_model=None, responses=responses(503))
    async def ready() -> Response:
        """Would a request be scored now? 503 after a batch that failed, and while the queue is full."""
        if batcher.failed:
            return refusal(503, "scorer_failed", "the model could not score the last batch: see the service's log")
        if batcher.waiting >= service.limits.waiting:
            return refusal(503, "busy", f"{batcher.waiting} solutions are waiting")
        return JSONResponse({"status": "ok"})

    for path, probe in (("/health", health), ("/ready", ready)):
        app.add_api_route(path, probe, methods=["HEAD"], response_model=None, include_in_schema=False)

    @app.get("/metrics", response_model=None)
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        """What is being served, as clients of the OpenAI API ask for it."""
        return {
            "object": "list",
            "data": [{"id": scorer.name, "object": "model", "created": started, "owned_by": "visualprm"}],
        }


def _add_scoring(app: FastAPI, service: Service) -> None:
    @app.put("/images", responses=responses(408, 413, 422, 429), openapi_extra=_body("image/*", {"type": "string"}))
    async def put_image(request: Request) -> Stored:
        """Takes a picture's file as it is, for requests that name it: a group of responses sends it once."""
        return await service.put(await request.body())

    schema = ScoreRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    own = schema.pop("$defs", {})

    @app.post(
        "/score",
        response_model=Scored | SeveralScored,
        responses=responses(404, 408, 413, 422, 429),
        openapi_extra=_body("application/json", schema),
    )
    async def score(request: Request) -> Scored | SeveralScored:
        """Scores every step of a solution, or of several of one question."""
        asked = await service.read(ScoreRequest.model_validate_json, await request.body())
        found = await service.score(asked)
        if asked.solutions is None:
            ((candidate, own),) = found
            if isinstance(own, RowError):
                raise own
            return scored(candidate, own)
        return SeveralScored(
            solutions=[
                Refusal(error=own.reason, detail=own.detail) if isinstance(own, RowError) else scored(candidate, own)
                for candidate, own in found
            ]
        )

    documented = app.openapi

    def openapi() -> dict[str, Any]:
        document = documented()
        document["components"]["schemas"].update(own)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def scored(candidate: Candidate | None, found: list[float]) -> Scored:
    assert candidate is not None  # only what was read has scores
    steps = list(candidate.steps)
    spans = spans_of(steps, candidate.response)
    scores = candidate.without_context(found)
    low, high = candidate.bounds(found)
    own = [score for score in scores if score is not None]
    return Scored(steps=steps, spans=spans, step_scores=scores, step_low=low, step_high=high, scores=aggregate(own))


def _body(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}
