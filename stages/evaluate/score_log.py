"""A bench's scores as far as they have come, so that a stop costs one batch of samples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline import atomic, origin
from pipeline.errors import UserError
from pipeline.store import Store, one_line_io_errors
from pipeline.terminal.speak import say
from stages.evaluate.critic import Judged


class ScoreLog:
    """What was said of the first samples, in `judged`; more is added behind.

    The file names what is scored, and by what, in `made_from`; a file of something else is replaced.
    One process writes it from beginning to end, and writes nothing before there is a score to keep.
    """

    def __init__(self, path: Path, made_from: str) -> None:
        """Raises:
        UserError: there is a file that is no such log.
        """
        self._path, self._made_from = path, made_from
        self.judged: list[Judged] = []
        mend = "remove it to start again"
        held = origin.noted(Store(str(path.parent)), path.name, mend)
        if held is None:
            return
        try:
            judged = [Judged(scores, Counter(failures)) for scores, failures in held["judged"]]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: can't be read ({error}): {mend}") from error
        if held.get("made_from") == made_from:
            self.judged = judged
        else:
            say(f"{path}: {len(judged)} samples scored by another model, or asked otherwise: started again")

    def add(self, batch: Sequence[Judged]) -> None:
        """Keeps the next samples' scores."""
        self.judged += batch
        kept = [[one.scores, one.failures] for one in self.judged]
        with one_line_io_errors(str(self._path)):
            atomic.write(self._path, json.dumps({"made_from": self._made_from, "judged": kept}))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
