"""All that `make reproduce` does, as commands of the project and what each needs.

One ledger serves every variant: labels, thresholds and targets are chosen when a reward model is trained. Another, `wide`, spends
about as many tokens on more problems. Every critic judges the same pools of candidates of the test split, one at the paper's
temperature and one at 1, identical responses once, and the same bench: the first four candidates at temperature 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from demo.reproduction.claims import PAPERS_TEMPERATURE, WIDE, WIDE_SHORT
from demo.reproduction.tasks import POLICY, Task

CANDIDATES, OF_BENCH = 64, 4
"""Candidates of a problem, and how many of those drawn at temperature 1 are in the bench of steps."""
TEMPERATURES = (PAPERS_TEMPERATURE, 1.0)
"""Of the pools of candidates; the dataset's solutions are drawn at the last."""
TIMES_WIDER = 4
DATASET_CONFIG, TRAIN_CONFIG = "configs/demo.yaml", "configs/train_demo.yaml"
VISUALPRM = (sys.executable, "-m", "pipeline.cli")
BENCH_OF = (sys.executable, "-m", "demo.checks.process_bench")

VARIANTS: dict[str, tuple[str, ...]] = {
    "value": (),
    "orm": ("target.kind=outcome",),
    "advantage": ("target.kind=advantage",),
    "stop": ("target.stop_at_first_error=true",),
    "threshold-1-16": ("target.threshold=0.0625",),
    "threshold-1-8": ("target.threshold=0.125",),
    "threshold-1-4": ("target.threshold=0.25",),
    WIDE: (),
    WIDE_SHORT: ("optim.epochs=3",),
}
"""Reward models, by what sets each apart from `value`: hard labels at threshold 0, all steps. The wide ones have other data."""


@dataclass(frozen=True)
class Places:
    """Where a reproduction of this name keeps its things; `name` also begins the names of its runs."""

    name: str

    @property
    def home(self) -> Path:
        """Reward models, reports on the bench, and notes of what is done."""
        return Path("outputs", self.name)

    @property
    def notes(self) -> Path:
        """What is done, a file a task."""
        return self.home / "done"

    @property
    def dataset(self) -> Path:
        return Path("data", self.name)

    @property
    def wide(self) -> Path:
        """The dataset of more problems."""
        return Path("data", f"{self.name}-{WIDE}")

    @property
    def bench(self) -> Path:
        return Path("data", f"{self.name}-bench")

    @property
    def steps(self) -> Path:
        """The bench once more, with labels of steps by themselves."""
        return Path("data", f"{self.name}-bench-steps")

    @property
    def labels(self) -> Path:
        """The dataset's solutions as a bench, with the Monte Carlo labels against the oracle."""
        return self.home / "labels"

    def pool(self, temperature: float) -> Path:
        """Candidates at this temperature."""
        return Path("data", f"{self.name}-pool-{temperature}")

    def model(self, variant: str) -> Path:
        return self.home / variant

    def report(self, critic: str) -> Path:
        return self.home / "bench" / critic

    def step_report(self, critic: str) -> Path:
        return self.home / "bench-steps" / critic


@dataclass(frozen=True)
class Plan:
    """What to reproduce: with how many problems, which reward models, and settings for every training."""

    places: Places
    problems: int
    test_problems: int
    variants: Sequence[str]
    settings: Sequence[str] = ()

    def phases(self) -> list[list[Task]]:
        """Everything there is to do: one phase after the other, the tasks of each beside each other.

        What runs an engine takes the whole machine and is a phase of its own.
        """
        critics = ("value", "base", *(variant for variant in self.variants if variant != "value"))
        scores = {at: [self.scored(critic, at) for critic in critics] for at in TEMPERATURES}
        # The longest training first: the others fill up beside it. `value` is what others are measured against.
        by_length = sorted(self.variants, key=lambda variant: variant != WIDE)
        return [
            [self.dataset],
            *([[self.wide]] if self.has_wide else []),
            *([self.pool(at)] for at in TEMPERATURES),
            [self.labels, self.bench, self.steps],
            [self.trained(variant) for variant in by_length],
            [self.judged("value")],
            [*(self.judged(critic) for critic in critics if critic not in ("value", "orm")), *chain(*scores.values())],
            [
                *(self.reported(at, scores[at]) for at in TEMPERATURES),
                *(self.judged_by_step(critic) for critic in critics if critic != "orm"),
            ],
        ]

    @property
    def dataset(self) -> Task:
        return self._corpus("dataset", self.places.name, self.problems, self.places.dataset)

    @property
    def has_wide(self) -> bool:
        """Whether a reward model learns from the dataset of more problems."""
        return not {WIDE, WIDE_SHORT}.isdisjoint(self.variants)

    @property
    def wide(self) -> Task:
        """More problems, with draws for wrong solutions only."""
        name, count = f"{self.places.name}-{WIDE}", TIMES_WIDER * self.problems
        return self._corpus(WIDE, name, count, self.places.wide, "rollout.strategy=right_to_left")

    @property
    def labels(self) -> Task:
        """The dataset's solutions as a bench, with the Monte Carlo labels against the oracle."""
        where = ("--run", f"runs/{self.places.name}", "--out", str(self.places.labels))
        command = (*BENCH_OF, str(self.places.dataset), *where)
        return Task("labels", command, self.places.labels, (self.dataset,))

    def pool(self, temperature: float) -> Task:
        """Candidates at this temperature."""
        folder = self.places.pool(temperature)
        settings = (
            f"name={self.places.name}-test-{temperature}",
            "sources.0.kwargs.split=test",
            f"sources.0.kwargs.count={self.test_problems}",
            f"sampling.temperature={temperature}",
        )
        out = ("--n", str(CANDIDATES), "--out", str(folder))
        return Task(f"pool-{temperature}", (*VISUALPRM, "bon", "sample", DATASET_CONFIG, *settings, *out), folder)

    @property
    def bench(self) -> Task:
        """Steps to judge: those at the higher temperature, which have more errors."""
        pool = self.pool(TEMPERATURES[-1])
        command = (*BENCH_OF, str(pool.makes), "--candidates", str(OF_BENCH), "--out", str(self.places.bench))
        return Task("bench", command, self.places.bench, (pool,))

    @property
    def steps(self) -> Task:
        """The same solutions, with labels of steps by themselves in place of labels of prefixes."""
        pool, out = self.pool(TEMPERATURES[-1]), ("--about", "step", "--out", str(self.places.steps))
        command = (*BENCH_OF, str(pool.makes), "--candidates", str(OF_BENCH), *out)
        return Task("bench-steps", command, self.places.steps, (pool,))

    def trained(self, variant: str) -> Task:
        """A reward model."""
        source, model = self.wide if variant in (WIDE, WIDE_SHORT) else self.dataset, self.places.model(variant)
        where = (f"name={self.places.name}-{variant}", f"data.path={source.makes}", f"output_dir={model}")
        command = (*VISUALPRM, "train", TRAIN_CONFIG, *where, *VARIANTS[variant], *self.settings)
        task = Task(f"train-{variant}", command, model, (source,))
        # A training of another recipe or other data doesn't go on from this one's checkpoints.
        return replace(task, command=(*command, f"run_dir=runs/{self.places.name}-{variant}-{task.key}"))

    def judged(self, critic: str) -> Task:
        """A critic on the bench, with the difference to `value`."""
        report = self.places.report(critic)
        command = (*VISUALPRM, "evaluate", *self._model(critic), str(self.places.bench), "--threshold", "tuned")
        out = (*command, "--out", str(report))
        if critic == "value":
            return Task("bench-value", out, report, (self.bench, self.trained("value")))
        against = ("--against", str(self.places.report("value") / "scores.jsonl"))
        own = () if critic == "base" else (self.trained(critic),)
        return Task(f"bench-{critic}", (*out, *against), report, (self.judged("value"), *own))

    def judged_by_step(self, critic: str) -> Task:
        """What a critic said on the bench, held against labels of steps by themselves."""
        judged, report = self.judged(critic), self.places.step_report(critic)
        command = (*VISUALPRM, "evaluate", str(judged.makes / "scores.jsonl"), str(self.places.steps))
        how = ("--threshold", "tuned", "--out", str(report))
        return Task(f"steps-{critic}", (*command, *how), report, (judged, self.steps))

    def scored(self, critic: str, temperature: float) -> Task:
        """A critic on a pool."""
        pool, (model, *like) = self.pool(temperature), self._model(critic)
        command = (*VISUALPRM, "bon", "score", str(pool.makes), f"{critic}={model}", *like)
        trained = self.trained("value" if critic == "base" else critic)
        return Task(f"scores-{temperature}-{critic}", command, pool.makes / "scores" / critic, (pool, trained))

    def reported(self, temperature: float, scores: Sequence[Task]) -> Task:
        """What all critics' choices among a pool's candidates are worth."""
        pool = self.pool(temperature)
        command = (*VISUALPRM, "bon", "report", str(pool.makes))
        return Task(f"report-{temperature}", command, pool.makes / "report", (pool, *scores))

    def _corpus(self, task: str, name: str, count: int, folder: Path, *more: str) -> Task:
        settings = (f"name={name}", f"sources.0.kwargs.count={count}", *more)
        return Task(task, (*VISUALPRM, "dataset", DATASET_CONFIG, *settings), folder)

    def _model(self, critic: str) -> tuple[str, ...]:
        # The base policy is read as the PRM is, so that they differ by the training alone.
        base = (POLICY, "--like", str(self.places.model("value")))
        return base if critic == "base" else (str(self.places.model(critic)),)
