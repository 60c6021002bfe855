"""What a bench's labels are about: steps by themselves, or all that comes up to them (prefixes).

VisualProcessBench's people judged steps, Monte Carlo labels judge prefixes: a right step after a wrong one is right by the
first and wrong by the second. A reward model that learnt labels of prefixes is held against both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pipeline.errors import UserError
from stages.evaluate.bench import BenchSample

About = Literal["step", "prefix"]
NOTE = "annotation.json"
"""Beside a bench's rows: what `visualprm annotate export` and the demo say of its labels."""


def stated(bench: Path) -> About | None:
    """What a bench says its labels are about; null where it says nothing.

    Raises:
        UserError: its note can't be read, or says something else.
    """
    note = (bench if bench.is_dir() else bench.parent) / NOTE
    if not note.is_file():
        return None
    try:
        held = json.loads(note.read_text(encoding="utf-8"))
        tasks: Any = held.get("tasks") or {}
        found = held.get("labels_are_about", tasks.get("labels_are_about"))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"{note}: can't be read ({error}): restore it, or remove it and give about=step|prefix"
        ) from error
    if found is not None and found not in get_args(About):
        raise UserError(f"{note}: labels_are_about is {found!r}: make it step or prefix")
    return cast(About | None, found)


def as_prefixes(samples: Sequence[BenchSample]) -> list[BenchSample]:
    """Samples with labels of steps as samples with labels of prefixes: none is right after a wrong step.

    A step without a label stays without, so that both are counted over the same steps.
    """
    return [replace(sample, labels=_prefixes(sample.labels)) for sample in samples]


def _prefixes(labels: Sequence[int]) -> tuple[int, ...]:
    first = labels.index(-1) if -1 in labels else len(labels)
    return tuple(label if place < first or not label else -1 for place, label in enumerate(labels))
