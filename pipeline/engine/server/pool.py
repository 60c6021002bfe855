"""Which of several servers is asked, and what becomes of a request that one of them gives no usable reply to."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.engine.gauges import Gauges
from pipeline.engine.server.replies import Fault
from pipeline.errors import RowError, StartError, UserError
from pipeline.terminal.speak import say

MOST_TRIES = 6
"""Tries of one request that reached a server, before its row is given up: with others it may be the request's own fault."""
MOST_FAILURES = 3
"""Failures in a row after which a server is left out until it passes its trial again."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
"""Waits double from the first to the longest."""
FIRST_TRIAL_S = 2.0
"""Before a server that was left out is tried again; then it doubles, too."""
LOOK_S = 0.1
"""Between two looks for a server, while there is none."""
PICTURES = 20_000
"""Hashes of pictures that are remembered for each server."""
AT_HOME = 32
"""By as many draws a server is thought to be less busy that has a request's pictures: it has its prefixes, too."""

T = TypeVar("T")


@dataclass(eq=False)
class Place:
    """A server, and how it stands."""

    url: str
    joined: bool = False
    """Whether it is asked: it answers, and as the others do."""
    in_flight: int = 0
    """Draws that it was asked for and has not answered."""
    failures: int = 0
    """In a row."""
    refusals: int = 0
    """Times in a row that it asked for patience."""
    free_at: float = 0.0
    """Seconds of a clock that never jumps, until which it asked for patience."""
    pictures: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Those that it was shown lately."""

    def remember(self, pictures: Collection[str]) -> None:
        for picture in pictures:
            self.pictures[picture] = None
            self.pictures.move_to_end(picture)
        while len(self.pictures) > PICTURES:
            self.pictures.popitem(last=False)

    def load(self, pictures: Collection[str]) -> int:
        knows = bool(pictures) and all(picture in self.pictures for picture in pictures)
        return self.in_flight - (AT_HOME if knows else 0)


class Pool:
    """The servers of one engine. All methods are for tasks of one event loop.

    Args:
        join: Has a server pass its trial, in a thread.  Raises Fault where it does not answer, UserError where it answers
            otherwise than the others.
        wait_s: Seconds without any answer after which the run ends, once nothing is under way: a long draw is no silence.
    """

    def __init__(
        self, places: Sequence[Place], join: Callable[[Place], object], wait_s: float, gauges: Gauges | None = None
    ) -> None:
        self.places = tuple(places)
        self.gauges = gauges or Gauges()
        self._join, self._wait_s = join, wait_s
        self._silent_since: float | None = None
        self._last = "none of them was asked yet"
        self._trials: dict[Place, asyncio.Task[None]] = {}

    async def ask(self, send: Callable[[Place], Awaitable[T]], draws: int, pictures: Collection[str] = ()) -> T:
        """What `send` gets from the server that has least to do. After a `Fault` another one is asked, or the same later.

        Raises:
            RowError: servers that answer others gave this request no usable reply, however often it was tried.
            StartError: no server answers any more, or those that do keep this request out.
        """
        tries = closed = 0
        barred: set[Place] = set()
        while True:
            place = await self._free(pictures)
            place.in_flight += draws
            try:
                found = await send(place)
            except Fault as fault:
                self._note(place, fault)
                # A place that is asked again has passed its trial since: what it bars is this request alone.
                if fault.kind in ("failed", "wrong") or (fault.kind == "barred" and place in barred):
                    tries += 1
                    if tries == MOST_TRIES:
                        raise RowError("server_fault", f"{tries} tries, the last: {fault.reason}") from fault
                    await asyncio.sleep(_wait(tries))
                elif fault.kind == "barred":
                    barred.add(place)
                elif fault.kind == "closed":
                    # Its trial, which is smaller, may pass: without an end it would be asked for ever.
                    closed += 1
                    if closed == MOST_TRIES:
                        raise StartError(f"engine.urls: {self._last}") from fault
            else:
                place.failures = place.refusals = 0
                self._silent_since = None
                return found
            finally:
                place.in_flight -= draws

    async def _free(self, pictures: Collection[str]) -> Place:
        while True:
            self._try_again()
            now = time.monotonic()
            free = [place for place in self.places if place.joined and place.free_at <= now]
            if free:
                return min(free, key=lambda place: place.load(pictures))
            if self._silent_since is None:
                # Until the next answer: one that is free for a moment, and asks for patience again, is no better.
                self._silent_since = now
            waiting = any(place.in_flight for place in self.places)
            if now - self._silent_since > self._wait_s and not waiting:
                raise StartError(self._line())
            await asyncio.sleep(LOOK_S)

    def _line(self) -> str:
        which = "the server has not" if len(self.places) == 1 else f"none of {len(self.places)} servers has"
        return f"engine.urls: {which} answered for {self._wait_s:g} s (engine.wait_s), the last: {self._last}"

    def _note(self, place: Place, fault: Fault) -> None:
        self.gauges.faults += 1
        self._last = f"{place.url}: {fault.reason}"
        if fault.kind == "busy":
            place.refusals += 1
            place.free_at = max(place.free_at, time.monotonic() + max(fault.after_s, _wait(place.refusals)))
            return
        place.failures += 1
        if place.joined and (fault.kind != "failed" or place.failures >= MOST_FAILURES):
            place.joined = False
            say(f"{place.url} is left out for now: {fault.reason}")

    def _try_again(self) -> None:
        """Has all that are left out tried again, now and then."""
        for place in self.places:
            if not place.joined and place not in self._trials:
                self._trials[place] = asyncio.create_task(self._rejoin(place))

    async def _rejoin(self, place: Place) -> None:
        wait_s, told = min(FIRST_TRIAL_S, self._wait_s / 4), ""
        try:
            while True:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S, self._wait_s / 4)
                try:
                    await asyncio.to_thread(self._join, place)
                except (Fault, UserError) as error:
                    text = str(error).removeprefix("engine.urls: ")
                    self._last = f"{place.url}: {text}"
                    if isinstance(error, UserError) and told != text:
                        told = text
                        say(f"{place.url} stays left out: {told}")
                    continue
                place.joined, place.failures, place.refusals, place.free_at = True, 0, 0, 0.0
                # What it had is gone if it was started anew; it says so for each picture, and is then shown it.
                self._silent_since = None
                say(f"{place.url} is asked again")
                return
        finally:
            self._trials.pop(place, None)

    async def close(self) -> None:
        """Ends what still tries."""
        trials = list(self._trials.values())
        for trial in trials:
            trial.cancel()
        await asyncio.gather(*trials, return_exceptions=True)


def _wait(times: int) -> float:
    return float(min(FIRST_WAIT_S * 2 ** (times - 1), LONGEST_WAIT_S))
