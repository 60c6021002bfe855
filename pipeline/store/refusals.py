"""What a disk or an object store refuses, as one line for a person."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from pipeline.errors import StartError, UserError
from pipeline.store.places import full


@contextlib.contextmanager
def one_line_io_errors(place: str) -> Iterator[None]:
    """Turns what the disk or the object store refuses into one line that names the place, or the file elsewhere.

    Raises:
        UserError: no space, no right, no such bucket.
        StartError: the store does not answer.
    """
    try:
        yield
    except UserError as caught:
        # What a Ray worker said arrives with its traceback in the text.
        said = getattr(caught, "cause", None)
        if isinstance(said, UserError):
            raise said from caught
        raise
    except OSError as caught:
        # What a Ray worker met arrives wrapped, as the cause.
        cause = getattr(caught, "cause", None)
        refusal = cause if isinstance(cause, OSError) else caught
        where, mend = _refused(refusal, place)
        if isinstance(refusal, PermissionError):
            raise UserError(f"{where}: not writable: give this user the right to write there, or {mend}") from caught
        if refusal.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{where}: no space left on the device: free some, then run the same command again"
            ) from caught
        if (said := store_refusal(refusal)) is not None:
            raise type(said)(f"{place}: {said}") from caught
        if refusal.errno in (errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
            raise UserError(f"{where}: not writable ({os.strerror(refusal.errno)}): {mend}") from caught
        if refusal.errno == errno.EIO:
            raise UserError(
                f"{where}: the disk failed ({os.strerror(refusal.errno)}): look at it (`dmesg`), then run the same "
                "command again, or name another folder"
            ) from caught
        raise caught


def store_refusal(error: OSError) -> UserError | StartError | None:
    """What an object store refused, or that it does not answer, as one line; None for an error of anything else."""
    if error.errno is not None or not re.search("AWS Error|Bucket .* not found", str(error)):
        return None
    kind = StartError if _UNANSWERED.search(str(error)) else UserError
    return kind(f"the object store refused: {' '.join(str(error).split())[:300]}")


_UNANSWERED = re.compile("NETWORK_CONNECTION|REQUEST_TIMEOUT|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING|INTERNAL_FAILURE")
"""In what Arrow says of a store that another try may find well."""


def _refused(refusal: OSError, place: str) -> tuple[str, str]:
    """What could not be written, and what to name instead: the place, unless a library's file lies elsewhere."""
    file, home = refusal.filename, os.path.expanduser("~")
    if not isinstance(file, str) or not os.path.isabs(file) or _within(file, full(place)):
        return place, "name another folder"
    if _within(file, home):
        return file, f"set HOME, which is {home}, to a folder that can be written"
    return file, "see to it that it can be written"


def _within(file: str, folder: str) -> bool:
    return file == folder or file.startswith(folder.rstrip("/") + "/")
