"""The four kinds of failure, each with its own fate."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in the configuration, the command or the environment.

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
    """A service that the command needs, such as Ray, did not start, and nothing in the settings is to blame.

    The message is one line. The command line prints it with what the same command will do, and exits with status 1.
    """
