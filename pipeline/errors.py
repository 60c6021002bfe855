"""The kinds of failure, each with its own fate; docs/command_line.md has the table of exit statuses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the configuration, the command, the data or the environment: the user must change something.

    The message is one line that names the key, file or row and says how to mend it.
    The command line prints it and exits with status 2.
    """


class RowError(Exception):
    """One row can't be used. It is quarantined with `reason` and the run goes on.

    `reason` is a short snake_case key that summaries count; `detail` is for a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class EngineDead(Exception):
    """The inference engine is gone.

    The actor that holds it exits hard, so that Ray restarts it and retries. A command that holds one itself ends with
    status 1, and goes on when it is called again.
    """


class StartError(Exception):
    """A service that the command needs did not start, does not answer or ended early, and no setting is to blame.

    Such as Ray, a node of its cluster, the hub, an object store. The message is one line. The command line prints it
    with what the same command will do, and exits with status 1.
    """


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if one is close to the one given."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, for a message; empty if no known word is close."""
    close = closest(word, known)
    return "" if close is None else f" (did you mean {close!r}?)"
