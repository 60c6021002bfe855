"""What a service takes."""

from __future__ import annotations

from pipeline.settings import Strict


class Limits(Strict):
    """What a service takes."""

    body_bytes: int = 32 << 20
    """The largest request; base64 makes an image a third larger."""
    held_bytes: int = 256 << 20
    """Of all request bodies together that are being read, or wait; beyond, new ones are turned away."""
    image_bytes: int = 16 << 20
    """The largest encoded image."""
    pixels: int = 1 << 25
    """Of all images of a request, as their headers state them: while one is decoded, each takes up to eight bytes."""
    stored_bytes: int = 512 << 20
    """Of the pictures in the store; the one that was used longest ago goes first."""
    stored_s: float = 3600
    """How long a picture stays in the store after it was put there."""
    batch: int = 32
    """The most solutions in one batch."""
    wait_s: float = 0.005
    """How long the first solution of a batch waits for others."""
    waiting: int = 1024
    """Solutions in the queue beyond which new ones are turned away."""
    connections: int = 900
    """Open connections beyond which new ones are turned away; each takes a file descriptor."""
    header_s: float = 10
    """How long a client has for a request's first line and headers."""
    body_s: float = 30
    """How long a client has for a request's body."""
    stop_s: float = 5
    """How long requests may go on after the service was told to stop."""
    end_s: float = 8
    """When it ends after that whatever it still does, such as decoding a picture, or ending an engine."""
