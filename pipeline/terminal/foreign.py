"""What lines of other libraries mean: which are ours, which tell of a fault, which of a log's tells most. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

LINE, FAULT = "visualprm: ", "visualprm, a fault: "
"""What a line of ours begins with in the output of a process of Ray, so that the driver can tell it from others'."""
_FROM_WORKER = re.compile(r"\(\S.* pid=\d+(?:, ip=\S+)?\) (.*)")
"""How Ray begins the line of a worker at the driver: `(MapWorker(MapBatches(Annotator)) pid=7766) …`."""
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FAULTS = (
    (r"A worker died or was killed|worker process has died", "Ray lost one of its processes and starts another"),
    (
        r"killed due to (?:the node running low on memory|memory pressure)|OutOfMemory|node ran out of memory",
        "Ray ended a process because the machine's memory is nearly full",
    ),
    (r"Raylet is terminated", "the process of Ray's node ended unexpectedly"),
    (r"has been marked dead|missed too many heartbeats|The current node timed out", "Ray lost a node of its own"),
    (r"over \d+% full, available space", "the disk that Ray keeps its files on is nearly full"),
    (r"Failed to connect to GCS|[Ll]ocal raylet (?:has been )?(?:died|disconnected|crashed)", "Ray's node is gone"),
)
"""Lines of Ray that tell of a real fault, and the same in our words."""
_PREFIX = re.compile(
    r"^(?:\([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*\)\s+)*"  # (name pid=1), brackets inside it included
    r"(?:(?:ERROR|CRITICAL|WARNING|INFO)\s[\d-]+\s[\d:]+\s)?(?:\[[^\]]*\]\s*)?"  # vLLM's ERROR 11-27 11:23:34 [core.py:1]
)
_RAISED = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Dead)\b: \S")
_LOUD = re.compile(r"\b(?:ERROR|CRITICAL|FATAL)\b|Segmentation fault|Killed|Aborted| [FC] \d+ \d+\] ")
_ECHO = re.compile(
    r":info_message:|see root cause above|See stack trace|ActorDiedError|RayTaskError|EngineDeadError|"
    r"has constructor arguments in the object store|Exception occurred in|Full stack trace",
    re.IGNORECASE,
)
"""What only says that something was said elsewhere, and a warning that Ray gives at every start."""
MOST = 200
"""Characters of a line that is repeated."""


def plain(text: str) -> str:
    """Without colours."""
    return _COLOUR.sub("", text)


def ours(line: str) -> tuple[bool, str] | None:
    """Whether a process of Ray tells of a fault, and its words; None for a line that is not ours."""
    found = _FROM_WORKER.fullmatch(line)
    if found:
        for mark in (LINE, FAULT):
            if found[1].startswith(mark):
                return mark == FAULT, found[1].removeprefix(mark)
    return None


def fault(line: str) -> str | None:
    """The fault that a line of Ray tells of, in our words."""
    return next((words for pattern, words in _FAULTS if re.search(pattern, line)), None)


def shortened(line: str) -> str:
    """To be repeated in a line of ours: without what stands before vLLM's and Ray's lines, and not too long."""
    return " ".join(_PREFIX.sub("", plain(line).strip()).split())[:MOST]


def telling(lines: Iterable[str]) -> str | None:
    """The line that says most of why something went wrong: the last exception, else fault of Ray, else loud line."""
    raised = lost = loud = None
    for line in lines:
        text = shortened(line)
        if not text or _ECHO.search(line):
            continue
        if _RAISED.match(text):
            raised = text
        elif fault(line):
            lost = text
        elif _LOUD.search(line):
            loud = text
    return raised or lost or loud
