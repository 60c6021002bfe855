"""How long S3 is waited for: the one place that says so, for pyarrow's client and for the lock's."""

from __future__ import annotations

from pyarrow import fs

ANSWER_S = 5.0
"""A connection on which nothing moves for so long is given up."""
TRIES = 3
"""For one request, with a second or two between them: so a store that hangs is given up after some 20 s."""


def bounded(filesystem: fs.FileSystem) -> fs.FileSystem:
    """The file system as an address gave it, S3 with these waits; another one as it is.

    An address can't say them, and what Arrow then takes, 11 tries with growing pauses, waits 100 s for each request.
    """
    if not isinstance(filesystem, fs.S3FileSystem):
        return filesystem
    # As it is pickled: all that the address said.
    make, (options,) = filesystem.__reduce__()
    return make(
        {
            **options,
            "connect_timeout": ANSWER_S,
            "request_timeout": ANSWER_S,
            "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
        }
    )
