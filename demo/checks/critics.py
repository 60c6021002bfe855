"""What a reward model of the demo is worth, against the truth: `python -m demo.checks.critics outputs/demo_prm outputs/demo_orm`.

The oracle knows for every step whether anything is wrong so far that the answer depends on. Judged are all steps of
the problems that the reward model's training held out; beside it the base policy, asked in the same way before any
training, and a critic that calls everything right. Outcome models are asked whether the last step is right.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from demo.checks.report import oracle
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import RowError
from pipeline.markdown import compact_table
from pipeline.records import problem_of
from pipeline.store import Store
from stages.label_kinds.steps import Oracle
from stages.metrics import Steps, auc, cells, macro_f1
from stages.reward.model import Candidate, ProcessRewardModel
from stages.train.selection import is_held_out

COLUMNS = ["id", "question", "images", "steps_with_score"]


@dataclass(frozen=True)
class Solutions:
    """Held-out solutions and, for each of their steps, whether everything up to it is right, or by another truth the step."""

    candidates: list[Candidate]
    truths: list[list[bool]]


def held_out(data: str, run: str, share: float, seed: int, truth: Callable[[Store], Oracle] = oracle) -> Solutions:
    """The solutions of a dataset's problems that a training with these settings doesn't see."""
    judge = truth(Store(run))
    candidates, truths = [], []
    for shard in sorted(Path(data).glob("*.parquet")):
        ids = pq.read_table(shard, columns=["id"])["id"].to_pylist()
        kept = [is_held_out(problem_of(name), share, seed) for name in ids]
        for row in pq.read_table(shard, columns=COLUMNS).filter(kept).to_pylist():
            steps = tuple(step["step"] for step in row["steps_with_score"])
            images = tuple(image["bytes"] for image in row["images"])
            candidates.append(Candidate(row["question"], images, steps))
            truths.append(list(judge(problem_of(row["id"]), steps)))
    return Solutions(candidates, truths)


def scores(model: ProcessRewardModel, solutions: Solutions) -> list[list[float]]:
    """The scores of each solution.

    Raises:
        RowError: one can't be scored.
    """
    found: list[list[float]] = []
    for result in model.score_many(solutions.candidates):
        if isinstance(result, RowError):
            raise result
        found.append(result)
    return found


def untrained(trained: ProcessRewardModel) -> ProcessRewardModel:
    """The model that another was trained from, shown the same conversations."""
    base = str(trained.config.training["model"]["base"])
    return ProcessRewardModel.from_pretrained(base, dtype="float32", like=trained.name)


def line(name: str, truth: Sequence[Any], score: Sequence[Any], threshold: float = 0.5) -> list[str]:
    """A row of the table; `truth` and `score` have an entry a solution, each with an entry a judgement.

    A score above `threshold` calls a step right.
    """
    steps = Steps.of(np.concatenate([*map(np.asarray, truth)]).astype(bool), np.concatenate([*map(np.asarray, score)]))
    found = (float(macro_f1(cells(steps, threshold, 1)[0])), float(auc(steps.right, steps.score)))
    return [name, *("" if math.isnan(value) else f"{value:.3f}" for value in found)]


def table(solutions: Solutions, models: Sequence[ProcessRewardModel]) -> str:
    """Markdown: every critic against the oracle, steps first, then responses."""
    steps = sum(map(len, solutions.truths))
    wrong = sum(not ok for truth in solutions.truths for ok in truth)
    last = [[truth[-1]] for truth in solutions.truths]
    rows = [line("always right", solutions.truths, [np.ones(len(truth)) for truth in solutions.truths])]
    outcome = [line("always right", last, [[1.0]] * len(last))]
    for model in models:
        name = Path(model.name).name
        before, after, at = scores(untrained(model), solutions), scores(model, solutions), model.config.middle
        if model.config.kind == "orm":
            outcome += [line(f"{name}, untrained", last, before, at), line(name, last, after, at)]
        else:
            rows += [line(f"{name}, untrained", solutions.truths, before, at), line(name, solutions.truths, after, at)]
            outcome += [line(f"{name}, last step", last, [each[-1:] for each in after], at)]
    return "\n\n".join(
        [
            f"Measured on the training's own problems that it held out: {len(solutions.truths)} solutions, {steps} steps, "
            f"{wrong} of them wrong by the oracle; thresholds as the labels have them. `make evaluate` measures on other "
            "problems and tunes thresholds there: its figures differ.",
            compact_table(("critic of steps", "macro-F1", "ROC-AUC"), rows),
            compact_table(("critic of responses", "macro-F1", "ROC-AUC"), outcome),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="folders of reward models, all of one dataset and split")
    parser.add_argument("--data", default="data/demo", help="the published dataset")
    parser.add_argument("--run", default="runs/demo", help="its run directory")
    options = parser.parse_args()
    from transformers.utils import logging

    # A bar for each of the models, whose loading takes no time.
    logging.disable_progress_bar()
    models = [ProcessRewardModel.from_pretrained(folder, dtype="float32") for folder in options.models]
    splits = {(model.config.training["data"]["held_out"], model.config.training["seed"]) for model in models}
    if len(splits) > 1:
        parser.error("these models held out different problems")
    print(table(held_out(options.data, options.run, *splits.pop()), models))


if __name__ == "__main__":
    with one_line_errors("critics"):
        main()
