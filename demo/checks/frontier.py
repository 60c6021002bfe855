"""`make frontier`: what each rollout strategy costs, what its labels are worth, and what a reward model learns from them.

    python -m demo.checks.frontier runs/demo [optim.epochs=3 …]

Strategies are replayed over the `fixed` ledger of a run of the demo (`visualprm frontier`). The run that each would have
left is published, a process reward model is trained on it, and the oracle judges that model on every step of the problems
that all trainings hold out. Strategies that give every step the same label share a model. The same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from demo.checks.critics import Solutions, held_out, scores
from pipeline.command_line.ending import MUST_CHANGE, one_line_errors
from pipeline.errors import StartError, UserError
from pipeline.store import Store
from stages.frontier.run import replayed, strategy_runs, write_report
from stages.metrics import Steps, auc, bootstrap, cells, interval, macro_f1
from stages.publish.dataset import republish
from stages.reward.config import FILE
from stages.reward.model import ProcessRewardModel

CONFIG = Path("configs/train_demo.yaml")
RESAMPLES = 2000


def frontier(run: str, truth: str | None, settings: Sequence[str], home: Path) -> str:
    """Writes the report into the run's `frontier` folder and returns it.

    Args:
        run: a run directory of the demo with a `fixed` ledger.
        truth: see `visualprm frontier --truth`.
        settings: of the training, as `key.sub=value`.
        home: a folder for what the strategies would have left, and for models.

    Raises:
        UserError: the ledger can't be replayed, or the settings change what is compared.
        StartError: a training was stopped or lost.
    """
    for setting in settings:
        if setting.startswith(("target.", "data.")):
            raise UserError(f"{setting}: the frontier is of labels at threshold 0, on all that a strategy labels")
    result = replayed(run, truth, "demo.checks.report:oracle")
    runs = strategy_runs(run, str(home / "runs"))
    datasets = {strategy: home / "data" / Path(left).name for strategy, left in runs.items()}
    for strategy, folder in datasets.items():
        republish([runs[strategy]], [f"output_dir={folder.resolve()}", "label.threshold=0"])
    models = {strategy: trained(folder, settings, home) for strategy, folder in datasets.items()}
    # What was drawn changes no text: any of the datasets holds all solutions with all steps.
    figures = {model: judged(model, next(iter(datasets.values())), run) for model in dict.fromkeys(models.values())}
    for row in result["strategies"]:
        row["prm"] = figures[models[row["strategy"]]]
    return write_report(result, Store(run).address("frontier"))


def trained(data: Path, settings: Sequence[str], home: Path, name: str = "frontier") -> Path:
    """The reward model of a dataset's labels, trained unless it is there; `name` begins that of its training."""
    key = labels_key(data, [CONFIG.read_text(encoding="utf-8"), *settings])
    model = home / "models" / key
    if not (model / FILE).is_file():
        places = (f"name={name}-{key}", f"run_dir={home / 'training' / key}", f"output_dir={model}")
        command = (sys.executable, "-m", "pipeline.cli", "train", str(CONFIG), *places, f"data.path={data}", *settings)
        if status := subprocess.run(command).returncode:
            # It has said itself what must be changed; all else may go well the next time.
            kind = UserError if status == MUST_CHANGE else StartError
            raise kind(f"{data.name}: training ended with status {status}")
    return model


def labels_key(data: Path, settings: Sequence[str]) -> str:
    """Stands for the settings and the label of every step of a dataset, which is all that a model follows from."""
    digest = hashlib.sha256(json.dumps(settings).encode())
    for shard in sorted(data.glob("*.parquet")):
        for row in pq.read_table(shard, columns=["id", "steps_with_score"]).to_pylist():
            digest.update(json.dumps([row["id"], [step["label"] for step in row["steps_with_score"]]]).encode())
    return digest.hexdigest()[:12]


def judged(model: Path, data: Path, run: str) -> dict[str, Any]:
    """What a model is worth on the problems that its training held out, by the oracle; measured once."""
    kept = model.with_suffix(".json")
    if not kept.is_file():
        critic = ProcessRewardModel.from_pretrained(str(model), dtype="float32")
        training = critic.config.training
        solutions = held_out(str(data), run, training["data"]["held_out"], training["seed"])
        if {ok for truth in solutions.truths for ok in truth} != {True, False}:
            raise UserError(f"{run}: held out are no right or no wrong steps to judge by: make a run of more problems")
        kept.write_text(json.dumps(worth(solutions, scores(critic, solutions), critic.config.middle)), encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def worth(solutions: Solutions, scored: Sequence[Sequence[float]], threshold: float = 0.5) -> dict[str, Any]:
    """Macro-F1 of steps with its 95 % interval over problems, ROC-AUC, and on how much; of right and of wrong steps."""
    problems: dict[Any, int] = {}
    of = [problems.setdefault((one.question, one.images), len(problems)) for one in solutions.candidates]
    lengths = [len(truth) for truth in solutions.truths]
    steps = Steps(
        np.repeat(of, lengths),
        np.concatenate([np.arange(length) for length in lengths]),
        np.concatenate(solutions.truths).astype(bool),
        np.concatenate(scored),
    )
    counts = cells(steps, threshold, len(problems))
    drawn = np.concatenate([*bootstrap(len(problems), RESAMPLES, seed=0)])
    low, high = interval(macro_f1(drawn @ counts)) or (math.nan, math.nan)
    return {
        "macro_f1": float(macro_f1(counts.sum(axis=0))),
        "macro_f1_interval": [low, high],
        "roc_auc": float(auc(steps.right, steps.score)),
        "problems": len(problems),
        "solutions": len(lengths),
        "steps": sum(lengths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run directory of the demo")
    parser.add_argument("settings", nargs="*", metavar="key.sub=value", help="of the training")
    parser.add_argument("--truth", metavar="RUN", help="the same problems with more draws: the truth about mc")
    parser.add_argument("--home", type=Path, help="for datasets and models (outputs/frontier/RUN)")
    options = parser.parse_args()
    home = options.home or Path("outputs/frontier") / Path(options.run).name
    with one_line_errors("frontier", goes_on=True):
        print(frontier(options.run, options.truth, options.settings, home))


if __name__ == "__main__":
    main()
