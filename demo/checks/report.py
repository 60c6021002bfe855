"""How good Monte Carlo labels are, measured against the oracle: the demo's section of the dataset card.

    python -m demo.checks.report runs/demo data/demo

A step's label says whether the continuations from it ever (or often enough) reach the right answer; the oracle
says whether anything that the answer depends on is wrong so far. Where they differ, the draws tell why.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from demo.oracle import judge_steps
from demo.reasoning import STEP_SEPARATOR
from pipeline.command_line.ending import one_line_errors
from pipeline.markdown import compact_table
from pipeline.records import Solution, problem_of, solution_from_row
from pipeline.store import Store

THRESHOLDS = {"0": 0.0, "1/16": 1 / 16, "1/8": 1 / 8, "1/4": 1 / 4, "1/2": 1 / 2}


@dataclass(frozen=True, slots=True)
class Judged:
    """A published step beside the truth: its score in [0, 1], and whether all is right so far."""

    family: str
    score: float
    prefix_ok: bool
    kind: str


OUTCOMES = ("right, label +", "right, label −", "wrong, label +", "wrong, label −")
"""Heads of the columns that hold `Confusion.counts`."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of steps by (truth, label); rates in [0, 1]."""

    right_kept: int
    right_lost: int
    wrong_kept: int
    wrong_found: int

    @classmethod
    def at(cls, steps: Iterable[Judged], threshold: float) -> Confusion:
        counts = Counter((step.prefix_ok, step.score > threshold) for step in steps)
        return cls(counts[True, True], counts[True, False], counts[False, True], counts[False, False])

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return dataclasses.astuple(self)

    @property
    def macro_f1(self) -> float:
        """The mean of the F1 of right steps and of wrong steps; a class without steps or labels counts as 0."""
        right = 2 * self.right_kept / max(1, 2 * self.right_kept + self.wrong_kept + self.right_lost)
        wrong = 2 * self.wrong_found / max(1, 2 * self.wrong_found + self.right_lost + self.wrong_kept)
        return (right + wrong) / 2


def judged_steps(rows: Iterable[Mapping], names: Mapping[str, str]) -> Iterator[Judged]:
    """Every published step with a score; `names` maps a problem's id to the benchmark's own."""
    for row in rows:
        name = names[problem_of(row["id"])]
        truths = judge_steps(name, [step["step"] for step in row["steps_with_score"]])
        for step, truth in zip(row["steps_with_score"], truths, strict=True):
            if step["score"] is not None:
                yield Judged(name.split("-")[0], step["score"], truth.prefix_ok, truth.kind)


def causes(solutions: Iterable[tuple[str, Solution]]) -> Counter[str]:
    """Why labels at threshold 0 differ from the truth, counted in steps.

    A wrong prefix may succeed because a later step of the continuation puts the wrong value right
    (self-correction) or although no step does (luck); a right one may fail in all of its draws.
    """
    counts: Counter[str] = Counter()
    for name, solution in solutions:
        texts = [step.text for step in solution.steps]
        truths = judge_steps(name, texts)
        for index, (step, truth) in enumerate(zip(solution.steps, truths, strict=True)):
            hits = [draw.text for draw in step.draws if draw.verdict.status == "correct"]
            if step.draws and truth.prefix_ok and not hits:
                counts["right, but no draw succeeds"] += 1
            elif hits and not truth.prefix_ok:
                counts[_why(name, texts[: index + 1], hits)] += 1
    return counts


def _why(name: str, prefix: Sequence[str], hits: Sequence[str]) -> str:
    for text in hits:
        continuation = text.split(STEP_SEPARATOR)
        truths = judge_steps(name, [*prefix, *continuation])[len(prefix) :]
        if any(truth.prefix_ok for truth in truths[:-1]):
            return "wrong, but a draw corrects itself"
    return "wrong, but a draw is lucky"


def confusion_table(steps: Sequence[Judged]) -> str:
    rows = []
    for name, threshold in THRESHOLDS.items():
        c = Confusion.at(steps, threshold)
        rows.append([name, *map(str, c.counts), f"{c.macro_f1:.3f}"])
    return compact_table(["right if mc >", *OUTCOMES, "macro-F1"], rows)


def family_table(steps: Sequence[Judged]) -> str:
    families: dict[str, list[Judged]] = defaultdict(list)
    for step in steps:
        families[step.family].append(step)
    rows = [
        [
            family,
            str(len(members)),
            str(sum(not step.prefix_ok for step in members)),
            *(f"{Confusion.at(members, threshold).macro_f1:.3f}" for threshold in THRESHOLDS.values()),
        ]
        for family, members in sorted(families.items())
    ]
    return compact_table(["family", "steps", "wrong", *(f"macro-F1 at {name}" for name in THRESHOLDS)], rows)


def oracle(store: Store) -> Callable[[str, Sequence[str]], list[bool]]:
    """Says for every step of a solution to one of the run's problems whether everything up to it is right."""
    names = problem_names(store)

    def judge(problem_id: str, steps: Sequence[str]) -> list[bool]:
        return [truth.prefix_ok for truth in judge_steps(names[problem_id], steps)]

    return judge


def step_oracle(store: Store) -> Callable[[str, Sequence[str]], list[bool]]:
    """As `oracle`, of every step by itself: whether it follows from what the solution has written before."""
    names = problem_names(store)

    def judge(problem_id: str, steps: Sequence[str]) -> list[bool]:
        return [truth.step_ok for truth in judge_steps(names[problem_id], steps)]

    return judge


def card_section(store: Store, folder: str, ledger: Sequence[str]) -> str:
    """Markdown for the dataset card: confusion tables by threshold and family, and the causes of wrong labels.

    The verdicts are those in the `ledger` files, which may be copies of the store's without texts.
    """
    names = problem_names(store)
    shards = sorted(Path(folder).glob("*.parquet"))
    rows = ds.dataset(shards).to_table(["id", "steps_with_score"]).to_pylist()
    steps = list(judged_steps(rows, names))
    seen: dict[str, list[Solution]] = {}
    for own, published in zip(store.ledger_files(), ledger, strict=True):
        tables = (pq.read_table(path, filesystem=store.filesystem).to_pylist() for path in (own, published))
        for row, judged in zip(*tables, strict=True):
            pairs = zip(row["solutions"], judged["solutions"], strict=True)
            seen[row["problem_id"]] = [_judged_by(*map(solution_from_row, pair)) for pair in pairs]
    solutions = [(names[key], solution) for key, found in sorted(seen.items()) for solution in found]
    why = "\n".join(f"- {cause}: {count} steps" for cause, count in sorted(causes(solutions).items()))
    return (
        "## Labels against the oracle\n\n"
        f"{len(steps)} steps, compared with the demo's exact oracle (is anything wrong so far that the answer depends"
        f" on?).\n\n{confusion_table(steps)}\n\n{family_table(steps)}\n\n"
        f"Where the label at threshold 0 differs from the truth:\n\n{why or '- nowhere'}\n"
    )


def _judged_by(solution: Solution, judged: Solution) -> Solution:
    """The solution's draws with the verdicts of its `judged` copy; a step that has no draws there has none."""
    steps = (
        dataclasses.replace(
            step,
            # Not strict: the copy holds all draws of a step or none.
            draws=tuple(
                dataclasses.replace(draw, verdict=other.verdict)
                for draw, other in zip(step.draws, copy.draws, strict=False)
            ),
        )
        for step, copy in zip(solution.steps, judged.steps, strict=True)
    )
    return dataclasses.replace(solution, steps=tuple(steps))


def problem_names(store: Store) -> dict[str, str]:
    """The benchmark's own id of every problem of a run."""
    tables = [
        pq.read_table(path, columns=["problem_id", "row_id"], filesystem=store.filesystem)
        for path in store.problem_files()
    ]
    return {row["problem_id"]: row["row_id"] for table in tables for row in table.to_pylist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the run directory")
    parser.add_argument("dataset", help="the published dataset")
    options = parser.parse_args()
    store = Store(options.run)
    print(card_section(store, options.dataset, store.ledger_files()))


if __name__ == "__main__":
    with one_line_errors("report"):
        main()
