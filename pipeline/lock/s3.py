"""The lock on S3: an object that only one driver can make or replace, because each put says what must be there.

A driver whose lock lapsed while it was cut off finds out at its next beat or commit, whichever comes first. How old a lock
is follows from the store's clock alone: a GET says when the object was written, and when the store answered.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pyarrow import fs

from pipeline.errors import UserError
from pipeline.lock import HEARTBEAT_S, LAPSE_S, LAPSES, LockLost, lost, me, refusal
from pipeline.lock.lapsing import lapsing_lock
from pipeline.lock.s3_object import Found, S3Object, UnconditionalError
from pipeline.stopping.interrupt import Stop, interruptible

TRIES = 5
"""Each is a race that was lost to another driver, or an answer of the store that did not arrive."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the object says."""

    id: str
    """Of one `lock()`: the token that every commit compares."""
    holder: str
    released: bool = False

    def text(self) -> str:
        return json.dumps({"id": self.id, "holder": self.holder, "released": self.released})

    @staticmethod
    def of(found: Found) -> _Claim:
        try:
            row = json.loads(found.text)
            return _Claim(row["id"], row["holder"], row["released"])
        except (ValueError, KeyError, TypeError):
            # An earlier version wrote the holder alone.
            return _Claim("", found.text)

    def holds(self, found: Found) -> bool:
        return not self.released and found.age_s <= LAPSE_S


@dataclass(frozen=True, slots=True)
class S3Fence:
    """See `Fence`."""

    uri: str
    object: S3Object
    id: str

    def check(self) -> None:
        found = self.object.get()
        now = _Claim.of(found) if found else None
        if now is None or now.id != self.id:
            raise lost(self.uri, now.holder if now else None)


@contextmanager
def s3_lock(uri: str, filesystem: fs.S3FileSystem, path: str) -> Iterator[S3Fence | None]:
    """See `driver_lock`. A store that knows no conditions gets a lock that lapses, and no fence."""
    place = S3Object.at(uri, filesystem, path)
    claim = _Claim(uuid.uuid4().hex, me())
    try:
        tag = _take(uri, place, claim)
    except UnconditionalError:
        with lapsing_lock(uri, filesystem, path):
            yield None
        return
    with interruptible() as end, _renewed(uri, place, claim, tag, end):
        yield S3Fence(uri, place, claim.id)


def s3_holder(uri: str, filesystem: fs.S3FileSystem, path: str) -> str | None:
    """Who holds the lock now, if anybody does."""
    found = S3Object.at(uri, filesystem, path).get()
    claim = _Claim.of(found) if found else None
    return claim.holder if found and claim and claim.holds(found) else None


def _take(uri: str, place: S3Object, claim: _Claim) -> str:
    """Makes the claim; returns the tag of its object.

    Raises:
        UserError: another driver works here.
        UnconditionalError: the store puts whatever the conditions.
    """
    holder = ""
    for _ in range(TRIES):
        found = place.get()
        if found:
            there = _Claim.of(found)
            if there.id == claim.id:
                # The answer to our own put was lost.
                return found.tag
            holder = there.holder
            if there.holds(found):
                raise UserError(f"{refusal(uri, holder)}{LAPSES}")
        tag = place.put(claim.text(), replaces=found.tag if found else None)
        if tag is not None:
            _check_conditions(place, claim)
            return tag
    raise refusal(uri, holder)


def _check_conditions(place: S3Object, claim: _Claim) -> None:
    """
    Raises:
        UnconditionalError: the store takes puts whose conditions don't hold. Then there is no lock left in it.
    """
    for replaces in (None, "0" * 32):
        if place.put(claim.text(), replaces=replaces) is not None:
            place.delete()
            raise UnconditionalError


@contextmanager
def _renewed(uri: str, place: S3Object, claim: _Claim, tag: str, end: Stop) -> Iterator[None]:
    """Renews the claim while the body runs, and releases it afterwards."""
    stop, held, answers = threading.Event(), [tag], True

    def beat() -> None:
        nonlocal answers
        while not stop.wait(HEARTBEAT_S):
            # What fails now may get through at the next beat: nobody else's put has gone through until one of ours does.
            answers = False
            with suppress(UserError):
                loss = _renew(uri, place, claim, held)
                answers = True
                if loss is not None:
                    end(loss)
                    return

    thread = threading.Thread(target=beat, daemon=True, name="lock")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        # Left behind, it lapses; a store that did not answer a moment ago is not waited for again.
        with suppress(UserError):
            if answers:
                place.put(_Claim(claim.id, claim.holder, released=True).text(), replaces=held[0])


def _renew(uri: str, place: S3Object, claim: _Claim, held: list[str]) -> LockLost | None:
    """Puts the claim again in place of the one with the tag in `held`; what is wrong if another driver did."""
    if (tag := place.put(claim.text(), replaces=held[0])) is None:
        found = place.get()
        now = _Claim.of(found) if found else None
        if not found or not now or now.id != claim.id:
            return lost(uri, now.holder if now else None)
        # The answer to our last put was lost.
        tag = found.tag
    held[0] = tag
    return None
