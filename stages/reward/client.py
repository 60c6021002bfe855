"""A client of `visualprm serve`, sync and async. Pictures are sent once and then named.

What both do is written once, as generators that yield requests and pauses and are sent responses.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from pipeline.errors import RowError, UserError
from stages.reward.server.wire import STORED, Refusal, Scored, ScoreRequest, SeveralScored, Solution

if TYPE_CHECKING:
    import httpx

KEY = "VISUALPRM_API_KEY"
Result = TypeVar("Result")
Exchange = Generator["httpx.Request | float", "httpx.Response", Result]
"""Yields requests to send and seconds to wait, and returns what was found."""
_ROUNDS = 3
"""How often pictures are put again for one request: a store that is too small for them would lose them for ever."""


class RewardClient:
    """Asks a service for scores. Safe to use from several threads.

    Args:
        address: the service's, such as `http://127.0.0.1:8000`.
        key: its key, by default `VISUALPRM_API_KEY` of the environment.
        timeout_s: for one answer.
        patience_s: how long in all a request is tried again while the service is busy.
    """

    def __init__(self, address: str, key: str | None = None, timeout_s: float = 300, patience_s: float = 600) -> None:
        import httpx

        self._protocol = _Protocol(address, patience_s)
        self._http = httpx.Client(headers=_headers(key), timeout=timeout_s)

    def score(
        self,
        question: str,
        images: Sequence[bytes] = (),
        steps: Sequence[str] | None = None,
        *,
        response: str | None = None,
        options: Sequence[str] = (),
        max_steps: int | None = None,
    ) -> Scored:
        """The scores of a solution, given as its steps or as a text to be cut as the model's dataset was.

        Raises:
            RowError: it can't be scored.
            UserError: the service can't be reached, or doesn't take the key.
        """
        solution = _solution(steps, response)
        (found,) = self.score_many(question, images, [solution], options=options, max_steps=max_steps)
        return _or_raise(found)

    def score_many(
        self,
        question: str,
        images: Sequence[bytes],
        solutions: Sequence[Solution | Sequence[str] | str],
        *,
        options: Sequence[str] = (),
        max_steps: int | None = None,
    ) -> list[Scored | RowError]:
        """What was found for each solution of a question: lists of steps, or texts. In order.

        Raises:
            RowError: the question or its images can't be used.
            UserError: the service can't be reached, or doesn't take the key.
        """
        exchange = self._protocol.score(question, images, solutions, options, max_steps)
        try:
            asked = next(exchange)
            while True:
                if isinstance(asked, float):
                    time.sleep(asked)
                    asked = next(exchange)
                else:
                    asked = exchange.send(self._send(asked))
        except StopIteration as done:
            return list(done.value)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> RewardClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        with _reachable(self._protocol.address):
            request.headers.update(self._http.headers)
            return self._http.send(request)


class AsyncRewardClient:
    """As `RewardClient`, to be awaited."""

    def __init__(self, address: str, key: str | None = None, timeout_s: float = 300, patience_s: float = 600) -> None:
        import httpx

        self._protocol = _Protocol(address, patience_s)
        self._http = httpx.AsyncClient(headers=_headers(key), timeout=timeout_s)

    async def score(
        self,
        question: str,
        images: Sequence[bytes] = (),
        steps: Sequence[str] | None = None,
        *,
        response: str | None = None,
        options: Sequence[str] = (),
        max_steps: int | None = None,
    ) -> Scored:
        """See `RewardClient.score`."""
        solution = _solution(steps, response)
        (found,) = await self.score_many(question, images, [solution], options=options, max_steps=max_steps)
        return _or_raise(found)

    async def score_many(
        self,
        question: str,
        images: Sequence[bytes],
        solutions: Sequence[Solution | Sequence[str] | str],
        *,
        options: Sequence[str] = (),
        max_steps: int | None = None,
    ) -> list[Scored | RowError]:
        """See `RewardClient.score_many`."""
        exchange = self._protocol.score(question, images, solutions, options, max_steps)
        try:
            asked = next(exchange)
            while True:
                if isinstance(asked, float):
                    await asyncio.sleep(asked)
                    asked = next(exchange)
                else:
                    asked = exchange.send(await self._send(asked))
        except StopIteration as done:
            return list(done.value)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncRewardClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        with _reachable(self._protocol.address):
            request.headers.update(self._http.headers)
            return await self._http.send(request)


class _Protocol:
    """What is asked and answered, without sending anything."""

    def __init__(self, address: str, patience_s: float) -> None:
        self.address = address.rstrip("/")
        self._patience_s = patience_s
        self._put: set[str] = set()

    def score(
        self,
        question: str,
        images: Sequence[bytes],
        solutions: Sequence[Solution | Sequence[str] | str],
        options: Sequence[str],
        max_steps: int | None,
    ) -> Exchange[list[Scored | RowError]]:
        pictures = {STORED + hashlib.sha256(data).hexdigest(): data for data in images}
        body = _request(question, images, solutions, options, max_steps).model_dump_json(exclude_none=True)
        missing = [name for name in pictures if name not in self._put]
        for _ in range(_ROUNDS):
            for name in missing:
                yield from self._asked("PUT", "/images", pictures[name])
                self._put.add(name)
            try:
                answer = yield from self._asked("POST", "/score", body.encode())
            except _Missing as lost:
                missing = lost.names
                self._put.difference_update(missing)
                continue
            found = SeveralScored.model_validate_json(answer.content).solutions
            return [RowError(own.error, own.detail) if isinstance(own, Refusal) else own for own in found]
        raise UserError(f"{self.address}: its store loses the pictures of a single request: allow it more memory")

    def _asked(self, method: str, path: str, content: bytes) -> Exchange[httpx.Response]:
        """The answer; while the service is busy, after a pause. Raises RowError, UserError, `_Missing`."""
        import httpx

        waited = 0.0
        while True:
            answer = yield httpx.Request(method, self.address + path, content=content)
            if answer.status_code == 200:
                return answer
            refusal = _refusal(answer)
            if refusal.missing is not None:
                raise _Missing(refusal.missing)
            pause = float(answer.headers.get("Retry-After", 1))
            if answer.status_code not in (429, 503) or waited + pause > self._patience_s:
                raise _error(self.address, answer.status_code, refusal)
            waited += pause
            yield pause


class _Missing(Exception):
    """The service's store doesn't hold these pictures."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


def _request(
    question: str, images: Sequence[bytes], solutions: Sequence[Any], options: Sequence[str], max_steps: int | None
) -> ScoreRequest:
    try:
        return ScoreRequest(
            question=question,
            options=list(options),
            images=[STORED + hashlib.sha256(data).hexdigest() for data in images],
            solutions=[_as_solution(each) for each in solutions],
            max_steps=max_steps,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise RowError("bad_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _as_solution(given: Solution | Sequence[str] | str) -> Solution:
    if isinstance(given, Solution):
        return given
    return Solution(response=given) if isinstance(given, str) else Solution(steps=list(given))


def _solution(steps: Sequence[str] | None, response: str | None) -> Solution:
    if (steps is None) == (response is None):
        raise ValueError("give either steps or response")
    return Solution(steps=None if steps is None else list(steps), response=response)


def _or_raise(found: Scored | RowError) -> Scored:
    if isinstance(found, RowError):
        raise found
    return found


def _refusal(answer: httpx.Response) -> Refusal:
    try:
        return Refusal.model_validate_json(answer.content)
    except ValidationError:  # of a proxy in between, say
        return Refusal(error="refused", detail=answer.text[:300])


def _error(address: str, status: int, refusal: Refusal) -> Exception:
    if status in (413, 422):
        return RowError(refusal.error, refusal.detail)
    mend = f": give the key, or set {KEY}" if status == 401 else ""
    return UserError(f"{address}: {status} {refusal.error}: {refusal.detail}{mend}")


def _headers(key: str | None) -> dict[str, str]:
    key = key or os.environ.get(KEY)
    return {"Authorization": f"Bearer {key}"} if key else {}


class _reachable:
    """Turns what httpx raises for a service that doesn't answer into a UserError."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        import httpx

        if isinstance(error, (httpx.HTTPError, httpx.InvalidURL)):
            raise UserError(
                f"{self._address}: {type(error).__name__} {error}: is `visualprm serve` running there?"
            ) from error
