"""What one request to one server came to: a JSON object, a refusal of the request, or a fault of the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import httpx

FaultKind = Literal["away", "busy", "failed", "wrong", "barred", "closed"]
REFUSALS = (400, 413, 422)
"""Statuses that are about the very request; of no other one is it certain."""
SHOWN = 300
"""Characters of a server's message that a line of ours repeats."""


class Fault(Exception):
    """A server gave no usable reply; another one, or the same one later, may.

    `away`: it was not reached. `busy`: it asks for patience, `after_s` seconds of it where it says so. `failed`: it broke off,
    took too long, or reports an error of its own. `wrong`: it replied with something else than was asked for.
    `barred`: it does not let us in, or has no such route or model.
    `closed`: it serves us nothing for now and the request is not to blame, as where the balance is spent (402).
    """

    def __init__(self, kind: FaultKind, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.after_s = kind, reason, after_s


class Refused(Exception):
    """The server refuses this very request, and would do so again; the text is its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def read_reply(status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The JSON object of a reply.

    Raises:
        Refused, Fault: there is none, by the reply's status.
    """
    if status == 200:
        return _object(content)
    message = f"{status} {message_of(content)}".strip()
    if status in (429, 503):
        raise Fault("busy", message, _seconds(headers.get("retry-after", "")))
    if status in (401, 403, 404, 405):
        raise Fault("barred", message)
    if status == 408 or status >= 500 or status < 400:
        raise Fault("failed", message)
    if status in REFUSALS:
        raise Refused(status, message_of(content))
    # A row that is given up is given up for ever; a run that ends is resumed.
    raise Fault("closed", message)


def of_transport(error: httpx.TransportError) -> Fault:
    """The fault behind what the HTTP library raised."""
    reason = f"{type(error).__name__}{f': {error}' if str(error) else ''}"[:SHOWN]
    return Fault("away" if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)) else "failed", reason)


def message_of(content: bytes) -> str:
    """What the body of an error says, on one line: the `message` of vLLM's and OpenAI's errors, or its beginning."""
    text = content.decode(errors="replace")
    try:
        held = json.loads(text)
    except ValueError:
        held = None
    if isinstance(held, dict):
        inner = held.get("error", held)
        found = (inner.get("message") or inner.get("detail")) if isinstance(inner, dict) else inner
        text = found if isinstance(found, str) else json.dumps(found if found is not None else held)
    return " ".join(text.split())[:SHOWN]


def _object(content: bytes) -> dict[str, Any]:
    try:
        held = json.loads(content)
    except ValueError as error:
        raise Fault("failed", f"a reply that is no whole JSON ({len(content):,} bytes)") from error
    if not isinstance(held, dict):
        raise Fault("wrong", f"a reply that is no JSON object, but {type(held).__name__}")
    return held


def _seconds(text: str) -> float:
    """Of a `Retry-After` that counts seconds; a date counts as none."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
