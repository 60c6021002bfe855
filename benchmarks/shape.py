"""The shape that all benchmarks share: what is asked for, in which figures, on what, and how it is measured once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import benchmarks
from pipeline.errors import UserError
from pipeline.settings import Strict


@dataclass(frozen=True)
class Figure:
    """A line of the table: a measured value, or its ratio to a baseline that was measured in the same run.

    `ours` and `baseline` name entries of what `measure` returns, both in `unit`; the ratio has none. A `%` is a share
    in [0, 1], shown in percent. `digits` are significant ones.
    """

    what: str
    ours: str
    baseline: str | None = None
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 3

    def value(self, measured: Mapping[str, float]) -> float | None:
        """The figure in one run; None where that run couldn't measure it."""
        ours = measured.get(self.ours)
        if self.baseline is None or ours is None:
            return ours
        baseline = measured.get(self.baseline)
        return ours / baseline if baseline else None

    def met(self, value: float) -> bool | None:
        """Is it what was asked for? None if nothing was."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True)
class Benchmark:
    """A thing to measure.

    `measure` gets the settings, measures once, in a process of its own, and returns numbers by name. `on` says on what,
    as a `str.format` text over settings and measured numbers. One with `on_request` is measured only if it is named.
    """

    on: str
    figures: tuple[Figure, ...]
    settings: type[Strict]
    measure: Callable[[Any], Mapping[str, float]]
    on_request: bool = False


def find(name: str) -> Benchmark:
    """The benchmark of this name.

    Raises:
        UserError: there is none.
    """
    if name not in benchmarks.NAMES:
        raise UserError(f"no benchmark {name!r}; there are {', '.join(benchmarks.NAMES)}")
    found: Benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    return found
