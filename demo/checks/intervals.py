"""Whether the intervals of a model that learnt counts hold the share of draws that succeed.

    python -m demo.checks.intervals outputs/demo_counts data/demo                 # the problems that its training held out
    python -m demo.checks.intervals outputs/demo_counts data/other --all          # every problem: it learnt from none of them

Half of the problems say by which factor its concentrations are off; both halves' coverage is of the other half alone, with and
without the factor. `expected` counts a step by what the model expects of just so many draws (`stages/train/sureness.py`): that is
exact also where nearly all draws succeed. `plain` is the share of steps whose share of successes lies in the interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.command_line.ending import one_line_errors
from pipeline.errors import UserError
from pipeline.markdown import compact_table
from pipeline.records import problem_of
from pipeline.store.dataset_files import dataset_rows
from stages.reward.beta import StepScores, intervals
from stages.reward.model import Candidate, ProcessRewardModel
from stages.train.selection import is_held_out
from stages.train.sureness import LEVELS, Floats, concentration_scale, coverage

COLUMNS = ["id", "question", "images", "steps_with_score"]


@dataclass(frozen=True)
class Judged:
    """Steps with draws: their Betas, successes and draws, and which half their problem is in; arrays of shape (steps,)."""

    means: Floats
    concentrations: Floats
    k: Floats
    n: Floats
    second: np.ndarray

    def only(self, chosen: np.ndarray, scale: float = 1.0) -> tuple[Floats, Floats, Floats, Floats]:
        """What `stages/train/sureness.py` takes, of these steps, with scaled concentrations."""
        return self.means[chosen], self.concentrations[chosen] * scale, self.k[chosen], self.n[chosen]


def rows_of(folder: str, share: float, seed: int) -> Iterator[dict[str, Any]]:
    """The published solutions of problems that a training with these settings held out; of all with a share of 1."""
    rows = dataset_rows(folder, COLUMNS, COLUMNS)
    return (row for row in rows if is_held_out(problem_of(row["id"]), share, seed))


def judge(model: ProcessRewardModel, rows: Iterator[dict[str, Any]]) -> Judged:
    """Every step with draws, as the model sees it.

    Raises:
        UserError: the model did not learn counts, or no step has draws.
    """
    held = list(rows)
    candidates = [
        Candidate(
            row["question"],
            tuple(image["bytes"] for image in row["images"]),
            tuple(step["step"] for step in row["steps_with_score"]),
        )
        for row in held
    ]
    problems = {name: place for place, name in enumerate(sorted({problem_of(row["id"]) for row in held}))}
    found: list[tuple[float, float, int, int, int]] = []
    for row, scores in zip(held, model.score_many(candidates), strict=True):
        if not isinstance(scores, StepScores):
            raise UserError(f"{model.name}: gives no intervals: name a model that was trained with target.kind=counts")
        half = problems[problem_of(row["id"])] % 2
        for mean, sure, step in zip(scores, scores.concentrations, row["steps_with_score"], strict=True):
            if (step["num_mc_total"] or 0) > 1:
                found.append((mean, sure, step["num_mc_correct"], step["num_mc_total"], half))
    if not found:
        raise UserError("no step of these problems has more than one draw: name a dataset with draws")
    means, sure, k, n, half = np.array(found, dtype=np.float64).T
    return Judged(means, sure, k, n, half == 1)


def table(judged: Judged) -> str:
    """Markdown: coverage of the second half, as the model is and with the factor that the first half wants."""
    scale = concentration_scale(*judged.only(~judged.second))
    rows = []
    for name, factor in (("as it is", 1.0), (f"× {scale:.2f}", scale)):
        for level in LEVELS:
            means, sure, k, n = judged.only(judged.second, factor)
            low, high = np.array(intervals(means.tolist(), sure.tolist(), level)).T
            held = (k / n >= low) & (k / n <= high)
            between = (k > 0) & (k < n)
            rows.append(
                [
                    name,
                    f"{level:.0%}",
                    f"{100 * coverage(level, means, sure, k, n):.1f} %",
                    f"{100 * held.mean():.1f} %",
                    f"{100 * held[between].mean():.1f} %" if between.any() else "–",
                    f"{(high - low).mean():.3f}",
                ]
            )
    head = ["concentration", "level", "expected", "plain", "plain, of steps between 0 and 1", "mean width"]
    about = f"{int(judged.second.sum()):,} steps of {judged.n.min():.0f} to {judged.n.max():.0f} draws"
    return (
        f"{about}; factor of the other half: {scale:.3f}; of all: {concentration_scale(*judged.only(judged.n > 0)):.3f}\n\n"
        + (compact_table(head, rows))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a reward model that learnt counts")
    parser.add_argument("dataset", help="a published dataset")
    parser.add_argument("--held-out", type=float, default=0.2, help="the training's data.held_out (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the training's seed (%(default)s)")
    parser.add_argument("--all", action="store_true", help="all problems: none of them was learnt from")
    options = parser.parse_args()
    model = ProcessRewardModel.from_pretrained(options.model)
    print(table(judge(model, rows_of(options.dataset, 1.0 if options.all else options.held_out, options.seed))))


if __name__ == "__main__":
    with one_line_errors("intervals"):
        main()
