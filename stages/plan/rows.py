"""Counts a source's rows and measures some of them: lengths of questions, sizes of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from stages.load.golds import gold_rules
from stages.load.parse import image_root
from stages.load.sources.answers import GoldRules, settle
from stages.load.sources.fields import read_question, row_answer, row_images, row_options
from stages.load.sources.images import image_sizes
from stages.load.sources.readers import count_rows, open_rows

SAMPLE = 32
"""Rows of each source that are measured, evenly spaced."""


@dataclass
class Rows:
    """A source's rows: their number, and what some of them are like."""

    count: int
    questions: list[str] = field(default_factory=list)
    images: list[list[tuple[int, int, int]]] = field(default_factory=list)
    """For every measured row (width, height, bytes) of its images."""
    bad: Counter[str] = field(default_factory=Counter)
    """Measured rows that can't be used, by reason."""

    @property
    def usable(self) -> int:
        """Rows that can be used, if the others are like the measured ones."""
        measured = len(self.questions) + self.bad.total()
        return round(self.count * len(self.questions) / measured) if measured else 0


def read_rows(source: SourceConfig, demand_options: bool = True) -> Rows:
    """Measures up to `SAMPLE` rows.

    Args:
        demand_options: letters need options, as in loading.

    Raises:
        UserError: the source can't be opened, or it can't be told what its golds are.
    """
    found = Rows(count_rows(source))
    root, rules = image_root(source), gold_rules(source, {}, demand_options and "choice" in source.verify)
    sample = source.model_copy(update={"limit": min(SAMPLE, source.limit or SAMPLE)})
    for _, row in open_rows(sample):
        try:
            question, images = _measure(row, source, root, rules)
        except RowError as error:
            found.bad[error.reason] += 1
        else:
            found.questions.append(question)
            found.images.append(images)
    return found


def _measure(row: Any, source: SourceConfig, root: Any, rules: GoldRules) -> tuple[str, list[tuple[int, int, int]]]:
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, Mapping):
        raise RowError("wrong_type", "the row is not an object")
    question, options = read_question(row, source), row_options(row, source)
    settle(row_answer(row, source), options.texts, question, source, rules)
    own = row_images(row, source)
    sizes = [] if options.pictures and own in (None, "", []) else image_sizes(own, root)
    of_options = [size for _, picture in options.pictures for size in image_sizes(picture, root)]
    return "\n".join([question, *options.texts]), sizes + of_options
