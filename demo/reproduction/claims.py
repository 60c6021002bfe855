"""The paper's claims beside what the demo says of them, from the reports' numbers.

Every claim is a difference that should be above 0. One in Best-of-N is made problem by problem from the expected
accuracies that `visualprm bon report` keeps, so it is paired whatever is compared: two critics, two sizes, or how the
lead of one over another changes with N. One on steps is the paired difference that `visualprm evaluate` reports.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from demo.checks.tables import DASH, signed
from stages.best_of_n.compare import compare
from stages.best_of_n.expected import Floats

Json = dict[str, Any]
Way = tuple[str, int]
"""A way of choosing, by the label of the report's row, among N."""
MEAN = "mean"
AGGREGATES = (MEAN, "min", "last", "max", "product")
RESAMPLES = 10_000
PAPERS_TEMPERATURE = 0.7
"""Of the candidates in its Best-of-N evaluation (arXiv 2503.10291)."""
WIDE, WIDE_SHORT = "wide", "wide-short"
"""The variants that learn from more problems: for as many epochs as the others, and for as many steps."""
NAMES = {
    "value": "value, all steps, threshold 0",
    WIDE: "value, on more problems (wide)",
    WIDE_SHORT: "… trained for as many steps as value (wide-short)",
    "base": "base policy, untrained",
    "advantage": "advantage",
    "stop": "value, stopped at the first error",
    "orm": "outcome (ORM)",
    "threshold-1-16": "value, threshold 1/16",
    "threshold-1-8": "value, threshold 1/8",
    "threshold-1-4": "value, threshold 1/4",
}


@dataclass(frozen=True)
class Accuracies:
    """The expected accuracy of every way on every problem of a pool, shape (problems,), by id; and the pool's report."""

    report: Json
    problems: Sequence[str]
    of: Mapping[Way, Floats]

    @classmethod
    def read(cls, pool: Path) -> Accuracies:
        """What `visualprm bon report` wrote."""
        folder = pool / "report"
        table = pq.read_table(folder / "problems.parquet").sort_by([("method", "ascending"), ("n", "ascending"),
                                                                   ("problem_id", "ascending")])  # fmt: skip
        ways = list(zip(table["method"].to_pylist(), table["n"].to_pylist(), strict=True))
        blocks = np.split(table["accuracy"].to_numpy(), len(set(ways)))
        found = dict(zip(ways[:: len(blocks[0])], blocks, strict=True))
        problems = table["problem_id"][: len(blocks[0])].to_pylist()
        return cls(json.loads((folder / "report.json").read_text()), problems, found)

    @property
    def temperature(self) -> float:
        """That of the candidates."""
        return float(self.report["pool"]["sampling"]["temperature"])

    def total(self, ways: Sequence[Way]) -> Floats | None:
        """Their sum on every problem; None where one was not measured."""
        return None if any(way not in self.of for way in ways) else np.sum([self.of[way] for way in ways], axis=0)


@dataclass(frozen=True)
class Results:
    """What the evaluators wrote: critic → bench report, and the pools of candidates, the paper's temperature first.

    `steps` are reports on the bench with labels of steps by themselves.
    """

    bench: Mapping[str, Json]
    pools: Sequence[Accuracies]
    steps: Mapping[str, Json]

    @classmethod
    def read(cls, home: Path, critics: Sequence[str], pools: Sequence[Path]) -> Results:
        """The reports of these critics; an outcome model has none on the benches."""
        kept = [name for name in NAMES if name in critics and name != "orm"]
        bench, steps = (
            {name: json.loads((home / folder / name / "report.json").read_text()) for name in kept}
            for folder in ("bench", "bench-steps")
        )
        return cls(bench, [Accuracies.read(pool) for pool in pools], steps)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or one of ours where it has no number there.

    `paper` has its numbers, in the order in which they should rise, and `here` ours. `difference` is a measure
    with `detectable`, what so large a test would find with a power of 80 %; None where it was not measured.
    """

    text: str
    paper: str
    here: str = DASH
    difference: Json | None = None

    @property
    def verdict(self) -> str:
        """By the 95 % interval of the difference."""
        if self.difference is None or self.difference["low"] is None:
            return "not measured"
        holds, fails = ("holds", "does not hold") if self.paper == DASH else ("reproduced", "not reproduced")
        if self.difference["low"] > 0:
            return holds
        return fails if self.difference["high"] < 0 else "undecided"

    @property
    def row(self) -> tuple[str, ...]:
        """Of the table."""
        if self.difference is None:
            return (self.text, self.paper, self.here, DASH, DASH, self.verdict)
        power = self.difference["detectable"]
        found = DASH if power is None else f"{100 * power:.1f}"
        return (self.text, self.paper, self.here, signed(self.difference), found, self.verdict)


def claims_of_steps(bench: Mapping[str, Json]) -> list[Claim]:
    """The macro-F1 of `value` against the others'."""
    wanted = [
        ("a PRM finds wrong steps better than its base model as a critic", "48.0, 62.0", "base"),
        ("value labels beat advantage labels", "55.0, 62.0", "advantage"),
        ("all steps beat stopping at the first error", "61.6, 62.0", "stop"),
        ("threshold 0 beats 1/16", "61.0, 62.0", "threshold-1-16"),
        ("threshold 0 beats 1/8", "60.7, 62.0", "threshold-1-8"),
        ("threshold 0 beats 1/4", "60.2, 62.0", "threshold-1-4"),
    ]
    return [_of_steps(bench, *one) for one in wanted]


def _of_steps(bench: Mapping[str, Json], text: str, paper: str, other: str) -> Claim:
    """From the paired difference of the other critic to `value`, turned round."""
    difference = _against_value(bench, other)
    if difference is None:
        return Claim(text, paper)
    low, high = difference["low"], difference["high"]
    turned = {
        "value": -difference["value"],
        "low": None if high is None else -high,
        "high": None if low is None else -low,
        "detectable": difference["detectable"],
    }
    values = (bench[name]["pooled"]["macro_f1"]["value"] for name in (other, "value"))
    return Claim(text, paper, _here(values), turned)


def _against_value(bench: Mapping[str, Json], other: str) -> Json | None:
    """The difference in macro-F1, of the other critic less `value`; None where it was not measured."""
    found: Json | None = bench.get(other, {}).get("against", {}).get("macro_f1")
    return None if found is None or found["value"] is None else found


def claims_of_wide(bench: Mapping[str, Json]) -> list[Claim]:
    """What more problems give at finding wrong steps; not in the paper."""
    wanted = (
        (WIDE, "more problems find wrong steps better, trained for as many epochs (macro-F1)"),
        (WIDE_SHORT, "… trained for as many steps (macro-F1)"),
    )
    claims = []
    for variant, text in wanted:
        difference = _against_value(bench, variant)
        values = (bench[name]["pooled"]["macro_f1"]["value"] for name in ("value", variant))
        claims.append(Claim(text, DASH) if difference is None else Claim(text, DASH, _here(values), difference))
    return claims


def claims_of_wide_choice(pool: Accuracies) -> list[Claim]:
    """The same for Best-of-N."""
    last = max(pool.report["sizes"])
    value, wide, short = map(label, ("value", WIDE, WIDE_SHORT))
    vote = f"{wide} × vote"
    rows: list[tuple[str, str, list[Way], list[Way]]] = [
        ("more problems choose better among 8, trained for as many epochs", DASH, [(wide, 8)], [(value, 8)]),
        ("… trained for as many steps", DASH, [(short, 8)], [(value, 8)]),
    ]
    if last > 8:
        rows += [
            (f"more problems choose better among {last}", DASH, [(wide, last)], [(value, last)]),
            (f"such a PRM beats self-consistency at N = {last}", DASH, [(wide, last)], [("self-consistency", last)]),
            (f"it gains from N = 8 to {last}", DASH, [(wide, last)], [(wide, 8)]),
            (f"the vote that it weighs gains from N = 8 to {last}", DASH, [(vote, last)], [(vote, 8)]),
        ]
    return _measured(pool, rows)


def claims_of_temperature(pool: Accuracies, warm: Accuracies) -> list[Claim]:
    """Best-of-8 among candidates of two temperatures, on the problems that both pools have: the paper's table 8."""
    kept = set(pool.problems) & set(warm.problems)
    both: dict[Way, Floats] = {}
    for one in (pool, warm):
        mask = np.isin(one.problems, list(kept))
        both |= {(f"{name} at {one.temperature}", n): values[mask] for (name, n), values in one.of.items()}
    ways = (("the PRM's best of 8", label("value"), "40.9, 41.1"), ("one candidate (not in the paper)", "pass@1", DASH))
    rows: list[tuple[str, str, list[Way], list[Way]]] = [
        (f"{text}: candidates at temperature {pool.temperature} beat those at {warm.temperature}", paper,
         [(f"{way} at {pool.temperature}", 8)], [(f"{way} at {warm.temperature}", 8)])
        for text, way, paper in ways
    ]  # fmt: skip
    return _measured(Accuracies(pool.report, sorted(kept), both), rows)


def claims_of_variants(pool: Accuracies) -> list[Claim]:
    """Best-of-8 of `value` against the other variants and aggregates: the paper's tables 4 and 8."""
    value = (label("value"), 8)
    others = [
        ("the PRM beats its base model as a critic", "33.2, 41.1", label("base")),
        ("value labels beat advantage labels", "37.4, 41.1", label("advantage")),
        ("all steps beat stopping at the first error", "40.6, 41.1", label("stop")),
        ("threshold 0 beats 1/16", "40.4, 41.1", label("threshold-1-16")),
        ("threshold 0 beats 1/8", "40.5, 41.1", label("threshold-1-8")),
        ("threshold 0 beats 1/4", "40.0, 41.1", label("threshold-1-4")),
        ("the mean of the steps' scores beats their min", "40.4, 41.1", label("value", "min")),
        ("… their max", "35.9, 41.1", label("value", "max")),
        ("… the last one (not in the paper)", DASH, label("value", "last")),
        ("… their product (not in the paper)", DASH, label("value", "product")),
    ]
    return _measured(pool, [(text, paper, [value], [(other, 8)]) for text, paper, other in others])


def claims_of_n(pool: Accuracies) -> list[Claim]:
    """Best-of-N of `value` against what needs no PRM, and its gain with N: the paper's tables 2 and 6.

    The paper's numbers are those at N = 64; a pool of another size has rows of its own size, and one of another
    temperature than the paper's has none of the paper's numbers.
    """
    last = max(pool.report["sizes"])
    ways = {name: (lambda n, own=own: (own, n)) for name, own in
            (("prm", label("value")), ("orm", "orm"), ("majority", "self-consistency"), ("one", "pass@1"))}  # fmt: skip
    prm, orm, majority, one = ways.values()
    rows = [
        ("the PRM's best of 8 beats pass@1", "32.8, 41.2", [prm(8)], [one(8)]),
        ("… self-consistency", "38.8, 41.2", [prm(8)], [majority(8)]),
        ("… an outcome reward model", "39.7, 41.2", [prm(8)], [orm(8)]),
    ]
    votes = (f"{label('value')} × vote", "orm × vote")
    rows += [
        (f"a vote that the PRM weighs beats one that the outcome model weighs, N = {n} (not in the paper)", DASH,
         [(votes[0], n)], [(votes[1], n)])
        for n in sorted({8, last})
    ]  # fmt: skip
    if last > 8:
        rows += [
            (f"the PRM beats self-consistency at N = {last}", "40.9, 43.5", [prm(last)], [majority(last)]),
            (f"… an outcome reward model at N = {last}", "40.4, 43.5", [prm(last)], [orm(last)]),
            (f"the PRM gains from N = 8 to {last}", "41.2, 43.5", [prm(last)], [prm(8)]),
            (f"the PRM gains from N = {last // 2} to {last}", "42.7, 43.5", [prm(last)], [prm(last // 2)]),
            (f"its lead over self-consistency grows from N = 8 to {last}", "2.4, 2.6",
             [prm(last), majority(8)], [prm(8), majority(last)]),
            (f"its lead over an outcome reward model grows from N = 8 to {last}", "1.5, 3.1",
             [prm(last), orm(8)], [prm(8), orm(last)]),
        ]  # fmt: skip
    if pool.temperature != PAPERS_TEMPERATURE:
        rows = [(text, DASH, better, worse) for text, _, better, worse in rows]
    return _measured(pool, rows)


def label(critic: str, aggregate: str = MEAN) -> str:
    """How the report of a pool calls the best by a critic of steps."""
    return f"{critic} ({aggregate})"


def _measured(found: Accuracies, rows: Sequence[tuple[str, str, list[Way], list[Way]]]) -> list[Claim]:
    """Claims that some ways together are better than as many others; all on the same resamples."""
    pairs = [(found.total(better), found.total(worse)) for *_, better, worse in rows]
    known = [pair for pair in pairs if pair[0] is not None and pair[1] is not None]
    if not known:
        return [Claim(text, paper) for text, paper, *_ in rows]
    first, second = (np.stack(side, axis=1) for side in zip(*known, strict=True))
    differences = iter(compare(first, second, RESAMPLES, 0))
    claims = []
    for (text, paper, better, worse), pair in zip(rows, pairs, strict=True):
        if pair[0] is None or pair[1] is None:
            claims.append(Claim(text, paper))
            continue
        one = next(differences)
        power = None if math.isnan(one.detectable) else one.detectable
        interval = {"value": one.interval.mean, "low": one.interval.low, "high": one.interval.high}
        claims.append(Claim(text, paper, _here(_sides(found, better, worse)), {**interval, "detectable": power}))
    return claims


def _sides(found: Accuracies, better: list[Way], worse: list[Way]) -> Iterator[float]:
    """The two numbers whose difference is claimed; of a lead, the leads: (a − b) before and after."""
    if len(better) == 1:
        yield from (float(found.of[way].mean()) for way in (*worse, *better))
        return
    (after, other_before), (before, other_after) = better, worse
    yield float((found.of[before] - found.of[other_before]).mean())
    yield float((found.of[after] - found.of[other_after]).mean())


def _here(values: Iterator[float]) -> str:
    return ", ".join(f"{100 * value:.1f}" for value in values)
