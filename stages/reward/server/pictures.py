"""Pictures that clients put into the service once, to name them in many requests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

from cachetools import TTLCache

from pipeline.errors import RowError
from stages.load.sources.images import image_sizes, normalise
from stages.reward.server.limits import Limits
from stages.reward.server.wire import STORED, Stored


class UnknownImage(RowError):
    """A request names pictures that are not in the store, or not any more."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            "unknown_image", f"{len(missing)} of the request's pictures are not in the store: put them again"
        )
        self.missing = list(missing)


class Store:
    """Bounded in bytes and in age. Only the event loop's thread touches it."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._pictures: TTLCache[str, bytes] = TTLCache(limits.stored_bytes, limits.stored_s, clock, getsizeof=len)

    @property
    def size(self) -> int:
        """In bytes."""
        self._pictures.expire()
        return int(self._pictures.currsize)

    def __len__(self) -> int:
        self._pictures.expire()
        return len(self._pictures)

    def put(self, stored: Stored, data: bytes) -> None:
        self._pictures[stored.image] = data

    def fetched(self, images: Sequence[str]) -> list[str | bytes]:
        """The images of a request, with the bytes of those that are named.

        Raises:
            UnknownImage: some of them are not here.
        """
        found: list[str | bytes | None] = [
            self._pictures.get(image) if image.startswith(STORED) else image for image in images
        ]
        if missing := [image for image, own in zip(images, found, strict=True) if own is None]:
            raise UnknownImage(list(dict.fromkeys(missing)))
        return [each for each in found if each is not None]


def read_picture(data: bytes, limits: Limits) -> tuple[Stored, bytes]:
    """A picture's name, which is the hash of what was sent, and its bytes as a model is given them.

    Raises:
        RowError: it is no image, or too large.
    """
    if len(data) > limits.image_bytes:
        raise RowError("image_too_large", f"an image has more than {limits.image_bytes} bytes")
    if not data:
        raise RowError("bad_image", "the body is empty: send the image's file as it is")
    ((width, height, _),) = image_sizes(data, None)
    if width * height > limits.pixels:
        raise RowError(
            "image_too_large", f"the image has {width * height:,} pixels; at most {limits.pixels:,} are taken"
        )
    name = STORED + hashlib.sha256(data).hexdigest()
    return Stored(image=name, width=width, height=height, bytes=len(data)), normalise(data)
