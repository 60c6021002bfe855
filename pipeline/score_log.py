"""A bench's scores as far as they have come: a line a batch of samples, so that a stop costs one batch.

The first line names what is scored, and by what; a log of anything else is begun anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.store import one_line_io_errors
from stages.evaluate.critic import Judged


class ScoreLog:
    """What was said of the first samples, in `judged`; more is added behind."""

    def __init__(self, path: Path, made_from: str) -> None:
        self._path = path
        head = json.dumps(made_from)
        # Without its end a line is of a batch that a kill cut short.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        kept = lines[1:] if lines[:1] == [head] else []
        self.judged = [Judged(scores, Counter(failures)) for line in kept for scores, failures in json.loads(line)]
        with one_line_io_errors(str(path)):
            path.write_text("".join(line + "\n" for line in [head, *kept]), encoding="utf-8")

    def add(self, batch: Sequence[Judged]) -> None:
        """Keeps the next samples' scores."""
        line = json.dumps([[judged.scores, judged.failures] for judged in batch])
        with one_line_io_errors(str(self._path)), self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.judged += batch

    def remove(self) -> None:
        self._path.unlink()
