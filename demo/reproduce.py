"""`make reproduce`: the paper's claims tried on the demo, from nothing to docs/reproduction.md.

One ledger serves every variant: labels, thresholds and targets are chosen when a reward model is trained. Every critic judges the
same pool of candidates of the test split, identical responses once, and the same bench of its first four.
Every task is a command of the project that goes on where it was stopped; a task that has ended is not repeated, unless
something that it depends on has changed. Another policy or another dataset needs a new `--name`: a run keeps its ledger.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from demo.claims import Results, document
from demo.process_bench import LABELS
from pipeline.config import EngineConfig
from pipeline.policy import model_fingerprint

CANDIDATES, OF_BENCH = 64, 4
"""Candidates of a problem, and how many of them are in the bench of steps."""
POLICY = "demo/policy"
DATASET_CONFIG, TRAIN_CONFIG = "configs/demo.yaml", "configs/train_demo.yaml"

VARIANTS: dict[str, tuple[str, ...]] = {
    "value": (),
    "orm": ("target.kind=outcome",),
    "advantage": ("target.kind=advantage",),
    "stop": ("target.stop_at_first_error=true",),
    "threshold-1-16": ("target.threshold=0.0625",),
    "threshold-1-8": ("target.threshold=0.125",),
    "threshold-1-4": ("target.threshold=0.25",),
}
"""Reward models, by what sets each apart from `value`: hard labels at threshold 0, all steps."""


@dataclass(frozen=True)
class Places:
    """Where a reproduction of this name keeps its things; `name` also begins the names of its runs."""

    name: str

    @property
    def home(self) -> Path:
        """Reward models, reports on the bench, and notes of what is done."""
        return Path("outputs", self.name)

    @property
    def dataset(self) -> Path:
        return Path("data", self.name)

    @property
    def bench(self) -> Path:
        return Path("data", f"{self.name}-bench")

    @property
    def labels(self) -> Path:
        """The dataset's solutions as a bench, with the Monte Carlo labels against the oracle."""
        return self.home / "labels"

    @property
    def pool(self) -> Path:
        return Path("data", f"{self.name}-pool")

    def model(self, variant: str) -> Path:
        return self.home / variant

    def report(self, critic: str) -> Path:
        return self.home / "bench" / critic


@dataclass(frozen=True)
class Task:
    """One command, what it makes, and the tasks whose results it reads."""

    name: str
    command: tuple[str, ...]
    makes: Path
    after: tuple[Task, ...] = ()

    @property
    def key(self) -> str:
        """A hash over the command, the configs that it names, the policy, and all that it builds on."""
        configs = [Path(word).read_text(encoding="utf-8") for word in self.command if word.startswith("configs/")]
        policy = model_fingerprint(EngineConfig(model=POLICY))
        parts = [self.command[1:], configs, policy, [task.key for task in self.after]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def run(self, notes: Path) -> float:
        """Runs the command, unless what it makes is there, by its note, and returns how long it took, in seconds.

        Raises:
            SystemExit: it failed.
        """
        note = notes / f"{self.name}.json"
        done = note.is_file() and self.makes.exists()
        if done and (held := json.loads(note.read_text()))["key"] == self.key:
            return float(held["seconds"])
        print(f"{time.strftime('%H:%M:%S')} {self.name}", flush=True)
        started = time.monotonic()
        if status := subprocess.run(self.command).returncode:
            sys.exit(f"{self.name} ended with status {status}; the same command goes on: {shlex.join(self.command)}")
        seconds = time.monotonic() - started
        notes.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"key": self.key, "seconds": seconds, "command": self.command}, indent=1) + "\n")
        return seconds


def phases(
    places: Places, problems: int, test_problems: int, variants: Sequence[str], settings: Sequence[str] = ()
) -> list[list[Task]]:
    """Everything there is to do: one phase after the other, the tasks of each beside each other.

    What runs an engine takes the whole machine and is a phase of its own. `settings` are for every training.
    """
    visualprm = (sys.executable, "-m", "pipeline.cli")
    name = places.name
    dataset = Task(
        "dataset",
        (*visualprm, "dataset", DATASET_CONFIG, f"name={name}", f"sources.0.kwargs.count={problems}"),
        places.dataset,
    )
    bench_of = (sys.executable, "-m", "demo.process_bench")
    labels = Task("labels", (*bench_of, str(places.dataset), "--run", f"runs/{name}", "--out", str(places.labels)),
                  places.labels, (dataset,))  # fmt: skip
    sample = (f"name={name}-test", "sources.0.kwargs.split=test", f"sources.0.kwargs.count={test_problems}")
    pool = Task(
        "pool",
        (*visualprm, "bon", "sample", DATASET_CONFIG, *sample, "--n", str(CANDIDATES), "--out", str(places.pool)),
        places.pool,
    )
    bench = Task(
        "bench",
        (*bench_of, str(places.pool), "--candidates", str(OF_BENCH), "--out", str(places.bench)),
        places.bench,
        (pool,),
    )
    trained = {}
    for variant in variants:
        where = (f"name={name}-{variant}", f"data.path={places.dataset}", f"output_dir={places.model(variant)}")
        command = (*visualprm, "train", TRAIN_CONFIG, *where, *VARIANTS[variant], *settings)
        task = Task(f"train-{variant}", command, places.model(variant), (dataset,))
        # A training of another recipe or other data doesn't go on from this one's checkpoints.
        trained[variant] = replace(task, command=(*command, f"run_dir=runs/{name}-{variant}-{task.key}"))
    # The base policy is read as the PRM is, so that they differ by the training alone.
    like = ("--like", str(places.model("value")))

    def judged(critic: str) -> Task:
        model = (POLICY, *like) if critic == "base" else (str(places.model(critic)),)
        command = (*visualprm, "evaluate", *model, str(places.bench), "--threshold", "tuned")
        out = ("--out", str(places.report(critic)))
        if critic == "value":
            return Task("bench-value", (*command, *out), places.report("value"), (bench, trained["value"]))
        against = ("--against", str(places.report("value") / "scores.jsonl"))
        own = () if critic == "base" else (trained[critic],)
        return Task(f"bench-{critic}", (*command, *out, *against), places.report(critic), (judged("value"), *own))

    def scored(critic: str) -> Task:
        model = (f"base={POLICY}", *like) if critic == "base" else (f"{critic}={places.model(critic)}",)
        own = trained["value"] if critic == "base" else trained[critic]
        scoring = (*visualprm, "bon", "score", str(places.pool), *model)
        return Task(f"scores-{critic}", scoring, places.pool / "scores" / critic, (pool, own))

    critics = ("value", "base", *(one for one in variants if one != "value"))
    scores = [scored(critic) for critic in critics]
    report = Task("report", (*visualprm, "bon", "report", str(places.pool)), places.pool / "report", (pool, *scores))
    # `value` first: it is what the others are measured against.
    others = [judged(critic) for critic in critics if critic not in ("value", "orm")]
    return [
        [dataset], [labels], [pool], [bench], [*trained.values()], [judged("value")], [*others, *scores], [report],
    ]  # fmt: skip


def run(phases: Sequence[Sequence[Task]], notes: Path) -> dict[str, float]:
    """Seconds of every task by its name; those of a phase run beside each other, as many as there are cores.

    Raises:
        SystemExit: one failed.
    """
    seconds: dict[str, float] = {}
    for phase in phases:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda task: task.run(notes), phase)
            seconds |= dict(zip((task.name for task in phase), found, strict=True))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key.sub=value", help="settings of every training")
    parser.add_argument("--name", default="reproduce", help="of the runs and folders (reproduce)")
    parser.add_argument("--problems", type=int, default=1000, help="problems of the dataset (1000)")
    parser.add_argument("--test-problems", type=int, default=600, help="problems of the pools (600)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="reward models (all)")
    parser.add_argument("--out", type=Path, default=Path("docs/reproduction.md"))
    options = parser.parse_intermixed_args()
    variants = ["value", *(name for name in options.variants if name != "value")]
    places = Places(options.name)
    order = phases(places, options.problems, options.test_problems, variants, options.settings)
    seconds = run(order, places.home / "done")
    results = Results.read(places.home / "bench", ["base", *variants], places.pool)
    command = shlex.join(["python", "-m", "demo.reproduce", *sys.argv[1:]])
    labels = (places.labels / LABELS).read_text(encoding="utf-8")
    picture = options.out.with_suffix(".png")
    shutil.copyfile(places.pool / "report" / "report.png", picture)
    text = document(results, seconds, options.problems, options.test_problems, command, labels, picture.name)
    options.out.write_text(text, encoding="utf-8")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
