"""A small process that outlives its parent to say that it ended without a word: `python -m pipeline.terminal.survivor LOG`.

Ray ends a driver from its C++ code when the node under it is gone, and the kernel a process when memory is; then none of
our code runs there any more. This one waits on its standard input for a line, or for its end, which comes with the parent's.
The line must do alone: processes that the parent forked hold the other end open for as long as they live.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.markdown import visible
from pipeline.terminal.foreign import telling

TAIL_CHARACTERS = 200_000
"""Of a log, in which the telling line is looked for."""


def last_line(log: str, goes_on: bool) -> str:
    """What there is to say."""
    try:
        said = telling(Path(log).read_text(encoding="utf-8", errors="replace")[-TAIL_CHARACTERS:].splitlines())
    except OSError:
        said = None
    why = f" ({said})" if said else ""
    then = "resumes from here" if goes_on else "starts over"
    return f"visualprm: ended by Ray or from outside{why}; more in {log}; the same command {then}"


def main(log: str, *flags: str) -> None:
    """Waits; says the line if no word comes."""
    if not sys.stdin.readline():
        print(visible(last_line(log, "--goes-on" in flags)), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
