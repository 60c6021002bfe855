"""One shape for every error: `{"error": key, "detail": sentence}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from pipeline.errors import RowError
from stages.reward.server.batcher import Busy, ScorerFailed
from stages.reward.server.pictures import UnknownImage
from stages.reward.server.wire import Refusal

KEYS = {404: "not_found", 405: "method_not_allowed"}


def refusal(status: int, error: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = Refusal(error=error, detail=detail).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def explained(error: ValidationError | RequestValidationError) -> str:
    """The first fault of a body, with the key where it is."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part != "body")
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def answer(error: Exception) -> JSONResponse:
    """What a client is told of an error."""
    match error:
        case UnknownImage():
            body = Refusal(error=error.reason, detail=error.detail, missing=error.missing)
            return JSONResponse(body.model_dump(), status_code=404)
        case RowError():
            return refusal(422, error.reason, error.detail)
        case ValidationError() | RequestValidationError():
            return refusal(422, "bad_request", explained(error))
        case Busy():
            return refusal(429, "busy", str(error), {"Retry-After": str(error.after_s)})
        case ScorerFailed():
            return refusal(500, "scorer_failed", f"the model could not score the batch: {error}")
        case HTTPException():
            return refusal(error.status_code, KEYS.get(error.status_code, "refused"), str(error.detail), error.headers)
        case _:
            return refusal(500, "internal", f"{type(error).__name__}: see the service's log")


def install(app: FastAPI) -> None:
    """Gives every error of an application that shape."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return answer(error)

    for kind in (RowError, ValidationError, RequestValidationError, Busy, ScorerFailed, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the documentation of a route."""
    return {status: {"model": Refusal} for status in statuses}
