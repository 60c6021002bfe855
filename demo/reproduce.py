"""`make reproduce`: the paper's claims tried on the demo, from nothing to docs/reproduction.md.

One ledger serves every variant: labels, thresholds and targets are chosen when a reward model is trained. Another, `wide`, spends
about as many tokens on more problems. Every critic judges the same pool of candidates of the test split, drawn at the paper's
temperature, identical responses once, and the same bench: the first four of candidates drawn at temperature 1.
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

import yaml

from demo.claims import Results
from demo.document import Corpus, document
from demo.process_bench import LABELS
from pipeline.config import EngineConfig
from pipeline.policy import model_fingerprint

CANDIDATES, OF_BENCH = 64, 4
"""Candidates of a problem, and how many of those drawn at temperature 1 are in the bench of steps."""
PAPERS_TEMPERATURE = 0.7
"""Of candidates for Best-of-N (arXiv 2503.10291, the set-up of its Best-of-N evaluation); the demo's own is 1."""
WIDE = "wide"
TIMES_WIDER = 4
WARM_CRITICS = ("value", "orm", WIDE)
"""Those that judge the candidates at temperature 1 as well."""
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
    WIDE: (),
}
"""Reward models, by what sets each apart from `value`: hard labels at threshold 0, all steps. `wide` has other data."""


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
    def wide(self) -> Path:
        """More problems, with draws only where labels at threshold 0 need them."""
        return Path("data", f"{self.name}-{WIDE}")

    @property
    def bench(self) -> Path:
        return Path("data", f"{self.name}-bench")

    @property
    def labels(self) -> Path:
        """The dataset's solutions as a bench, with the Monte Carlo labels against the oracle."""
        return self.home / "labels"

    @property
    def pool(self) -> Path:
        """Candidates at the paper's temperature."""
        return Path("data", f"{self.name}-pool-{PAPERS_TEMPERATURE}")

    @property
    def warm(self) -> Path:
        """Candidates at temperature 1."""
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
        """A hash over the command, what the configs that it names say, the policy, and all that it builds on."""
        configs = [yaml.safe_load(Path(word).read_bytes()) for word in self.command if word.startswith("configs/")]
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

    def corpus(task: str, name: str, count: int, folder: Path, *more: str) -> Task:
        command = ("dataset", DATASET_CONFIG, f"name={name}", f"sources.0.kwargs.count={count}", *more)
        return Task(task, (*visualprm, *command), folder)

    dataset = corpus("dataset", name, problems, places.dataset)
    wide = corpus(WIDE, f"{name}-{WIDE}", TIMES_WIDER * problems, places.wide, "rollout.strategy=right_to_left")
    corpora = [dataset, *([wide] if WIDE in variants else [])]
    bench_of = (sys.executable, "-m", "demo.process_bench")
    labels = Task("labels", (*bench_of, str(places.dataset), "--run", f"runs/{name}", "--out", str(places.labels)),
                  places.labels, (dataset,))  # fmt: skip

    def sampled(task: str, suffix: str, folder: Path, *more: str) -> Task:
        sources = ("sources.0.kwargs.split=test", f"sources.0.kwargs.count={test_problems}", *more)
        command = ("bon", "sample", DATASET_CONFIG, f"name={name}-{suffix}", *sources)
        return Task(task, (*visualprm, *command, "--n", str(CANDIDATES), "--out", str(folder)), folder)

    warm = sampled("pool-1", "test", places.warm)
    cool = f"test-{PAPERS_TEMPERATURE}"
    pool = sampled("pool", cool, places.pool, f"sampling.temperature={PAPERS_TEMPERATURE}")
    bench = Task(
        "bench",
        (*bench_of, str(places.warm), "--candidates", str(OF_BENCH), "--out", str(places.bench)),
        places.bench,
        (warm,),
    )
    trained = {}
    # The longest first: the others fill up beside it.
    for variant in sorted(variants, key=lambda variant: variant != WIDE):
        source = wide if variant == WIDE else dataset
        where = (f"name={name}-{variant}", f"data.path={source.makes}", f"output_dir={places.model(variant)}")
        command = (*visualprm, "train", TRAIN_CONFIG, *where, *VARIANTS[variant], *settings)
        task = Task(f"train-{variant}", command, places.model(variant), (source,))
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

    def scored(critic: str, candidates: Task) -> Task:
        model = (f"base={POLICY}", *like) if critic == "base" else (f"{critic}={places.model(critic)}",)
        own = trained["value"] if critic == "base" else trained[critic]
        scoring = (*visualprm, "bon", "score", str(candidates.makes), *model)
        task = candidates.name.replace("pool", "scores")
        return Task(f"{task}-{critic}", scoring, candidates.makes / "scores" / critic, (candidates, own))

    def reported(candidates: Task, scores: Sequence[Task]) -> Task:
        task = candidates.name.replace("pool", "report")
        command = (*visualprm, "bon", "report", str(candidates.makes))
        return Task(task, command, candidates.makes / "report", (candidates, *scores))

    critics = ("value", "base", *(one for one in variants if one != "value"))
    scores = [scored(critic, pool) for critic in critics]
    scores_warm = [scored(critic, warm) for critic in WARM_CRITICS if critic in variants]
    # `value` first: it is what the others are measured against.
    others = [judged(critic) for critic in critics if critic not in ("value", "orm")]
    engines = [[one] for one in (*corpora, warm, pool)]
    return [
        *engines, [labels, bench], [*trained.values()], [judged("value")], [*others, *scores, *scores_warm],
        [reported(pool, scores), reported(warm, scores_warm)],
    ]  # fmt: skip


def corpus_of(folder: Path) -> Corpus:
    """What the statistics of a published dataset of one policy say of it."""
    stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    sources = stats["sources"].values()
    [policy] = stats["policies"]
    return Corpus(
        problems=sum(source["problems"] for source in sources),
        strategy=policy["strategy"],
        draws=sum(sum(source["draws"].values()) for source in sources),
        tokens=sum(source["tokens"] for source in sources),
    )


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
    parser.add_argument(
        "--problems", type=int, default=1000, help="problems of the dataset, a quarter of `wide`'s (1000)"
    )
    parser.add_argument("--test-problems", type=int, default=600, help="problems of the pools (600)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="reward models (all)")
    parser.add_argument("--out", type=Path, default=Path("docs/reproduction.md"))
    options = parser.parse_intermixed_args()
    variants = ["value", *(name for name in options.variants if name != "value")]
    places = Places(options.name)
    order = phases(places, options.problems, options.test_problems, variants, options.settings)
    seconds = run(order, places.home / "done")
    results = Results.read(places.home / "bench", ["base", *variants], places.pool, places.warm)
    command = shlex.join(["python", "-m", "demo.reproduce", *sys.argv[1:]])
    labels = (places.labels / LABELS).read_text(encoding="utf-8")
    picture = options.out.with_suffix(".png")
    shutil.copyfile(places.pool / "report" / "report.png", picture)
    folders = {"dataset": places.dataset, **({WIDE: places.wide} if WIDE in variants else {})}
    corpora = {name: corpus_of(folder) for name, folder in folders.items()}
    text = document(results, seconds, corpora, options.test_problems, command, labels, picture.name)
    options.out.write_text(text, encoding="utf-8")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
