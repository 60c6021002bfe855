"""`make reproduce`: the paper's claims tried on the demo, from nothing to docs/reproduction.md.

One ledger serves every variant: labels, thresholds and targets are chosen when a reward model is trained. Two pools of
the test split hold the first 16 and all 64 candidates of the same problems; a critic scores identical responses once.
Every task is a command of the project that goes on where it was stopped; a task that has ended is not repeated.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.claims import Results, document

HOME = Path("outputs/reproduce")
DATASET = "data/reproduce"
SMALL_POOL, POOL, BENCH = "data/reproduce-pool16", "data/reproduce-pool64", "data/reproduce-bench"
SMALL, LARGE = 16, 64

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
class Task:
    """One command. Its note in `HOME/done` says that just this command has ended, and how long it took."""

    name: str
    command: tuple[str, ...]

    @property
    def note(self) -> Path:
        return HOME / "done" / f"{self.name}.json"

    def run(self) -> None:
        """Runs the command, unless it has ended before.

        Raises:
            SystemExit: it failed.
        """
        if self.note.is_file() and json.loads(self.note.read_text())["command"] == list(self.command):
            return
        print(f"{time.strftime('%H:%M:%S')} {self.name}", flush=True)
        started = time.monotonic()
        if status := subprocess.run(self.command).returncode:
            sys.exit(f"{self.name} ended with status {status}; the same command goes on: {shlex.join(self.command)}")
        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps({"command": self.command, "seconds": time.monotonic() - started}))


def tasks(problems: int, test_problems: int, variants: list[str]) -> Iterator[Task]:
    """Everything there is to do, in order."""
    visualprm = (sys.executable, "-m", "pipeline.cli")
    demo = "configs/demo.yaml"
    yield Task("dataset", (*visualprm, "dataset", demo, "name=reproduce", f"sources.0.kwargs.count={problems}"))
    test = ("name=reproduce-test", "sources.0.kwargs.split=test", f"sources.0.kwargs.count={test_problems}")
    for pool, size in ((SMALL_POOL, SMALL), (POOL, LARGE)):
        yield Task(f"pool-{size}", (*visualprm, "bon", "sample", demo, *test, "--n", str(size), "--out", pool))
    bench = (sys.executable, "-m", "demo.process_bench", SMALL_POOL, "--candidates", "4", "--out", BENCH)
    yield Task("bench", bench)
    for name in variants:
        places = (f"name=reproduce-{name}", f"data.path={DATASET}", f"output_dir={HOME / name}")
        yield Task(f"train-{name}", (*visualprm, "train", "configs/train_demo.yaml", *places, *VARIANTS[name]))
    # `value` first: it is what the others are measured against.
    for name in ("value", "base", *(name for name in variants if name not in ("value", "orm"))):
        model = "demo/policy" if name == "base" else str(HOME / name)
        judge = (*visualprm, "evaluate", model, BENCH, "--threshold", "tuned", "--out", str(HOME / "bench" / name))
        against = () if name == "value" else ("--against", str(HOME / "bench" / "value" / "scores.jsonl"))
        yield Task(f"bench-{name}", (*judge, *against))
    for pool, size, names in ((SMALL_POOL, SMALL, variants), (POOL, LARGE, ["value", "orm"])):
        critics = [f"{name}={HOME / name}" for name in names if name in variants]
        yield Task(f"scores-{size}", (*visualprm, "bon", "score", pool, *critics))
        yield Task(f"report-{size}", (*visualprm, "bon", "report", pool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=1000, help="problems of the dataset (1000)")
    parser.add_argument("--test-problems", type=int, default=600, help="problems of the pools (600)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="reward models (all)")
    parser.add_argument("--out", type=Path, default=Path("docs/reproduction.md"))
    options = parser.parse_args()
    variants = ["value", *(name for name in options.variants if name != "value")]
    order = list(tasks(options.problems, options.test_problems, variants))
    for task in order:
        task.run()
    seconds = {task.name: json.loads(task.note.read_text())["seconds"] for task in order}
    results = Results.read(HOME / "bench", ["base", *variants], Path(SMALL_POOL), Path(POOL))
    options.out.write_text(document(results, seconds, options.problems, options.test_problems), encoding="utf-8")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
