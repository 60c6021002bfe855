"""A folder of solutions to label.

tasks.jsonl        a row a solution: `Task`
annotation.json    where they are from and how they were chosen, who labels, which share everyone labels
images/            the pictures, named by their content
labels/*.jsonl     what people said: a file a session, to which lines are added (`labels.py`)

A bench in VisualProcessBench's layout can be labelled as it is: its own labels are then hidden until asked for.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import RowError, UserError
from stages.evaluate.bench import Images, read_bench

TASKS, ABOUT = "tasks.jsonl", "annotation.json"
RULES = {
    "step": "Judge each step by itself: is what it says right, given the picture and what stands before it?",
    "prefix": "A step is correct if it is right and all steps before it are, too: what follows an error is incorrect.",
}
"""What a label is about, and how the page says it. VisualProcessBench's labels are about steps, mc labels about prefixes."""
_NEUTRAL = "A step that says nothing that could be right or wrong is neutral."
_SIGNS = {1: "+", -1: "-", 0: None}


@dataclass(frozen=True, slots=True)
class Task:
    """A solution to label. `ask` are the steps that are asked for, from 0; `scores` and `labels` are the dataset's own."""

    id: str
    source: str
    policy: str
    question: str
    answer: str
    images: tuple[str, ...]
    steps: tuple[str, ...]
    ask: tuple[int, ...]
    options: tuple[str, ...] = ()
    response_answer: str | None = None
    correct: bool | None = None
    scores: tuple[float | None, ...] = ()
    labels: tuple[str | None, ...] = ()

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class TaskFolder:
    """The tasks of a folder, by id in their order, and what `annotation.json` says."""

    path: Path
    tasks: dict[str, Task]
    about: Mapping[str, Any]
    pictures: Images = field(repr=False)

    @property
    def annotators(self) -> tuple[str, ...]:
        """Who labels; empty if anyone may label everything."""
        return tuple(self.about.get("annotators", ()))

    @property
    def rule(self) -> str:
        """What a label is about: a key of `RULES`. Tasks that were drawn before it was asked are about steps."""
        return str(self.about.get("labels_are_about", "step"))

    @property
    def instruction(self) -> str:
        """What those who label are told to do."""
        return f"{RULES[self.rule]} {_NEUTRAL}"

    @property
    def overlap(self) -> float:
        """The share of tasks that everyone labels."""
        return float(self.about.get("overlap", 1.0))

    def picture(self, name: str) -> bytes:
        """The encoded picture; empty if it can't be read, which the page then shows."""
        try:
            return self.pictures.read(name)
        except RowError:
            return b""


def read_tasks(path: str) -> TaskFolder:
    """The folder's tasks.

    Raises:
        UserError: none are there, or a line of them can't be read.
    """
    folder = Path(path)
    if not (folder / TASKS).is_file():
        return _of_bench(path)
    tasks: dict[str, Task] = {}
    for number, line in enumerate((folder / TASKS).read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            listed = {key: tuple(row[key]) for key in ("images", "steps", "ask", "options", "scores", "labels")}
            task = Task(**{**row, **listed})
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder / TASKS}: line {number} is no task ({error}): draw the tasks again") from error
        tasks[task.id] = task
    about: Mapping[str, Any] = {}
    if (folder / ABOUT).is_file():
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if (rule := about.get("labels_are_about", "step")) not in RULES:
        raise UserError(f"{folder / ABOUT}: labels_are_about must be {' or '.join(RULES)}, not {rule!r}")
    return TaskFolder(folder, tasks, about, Images(folder))


def _of_bench(path: str) -> TaskFolder:
    bench = read_bench(path)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    tasks = {
        sample.sample_id: Task(
            sample.sample_id,
            sample.source,
            sample.policy,
            sample.question,
            "",
            sample.images,
            sample.steps,
            tuple(range(len(sample.steps))),
            labels=tuple(_SIGNS[label] for label in sample.labels),
        )
        for sample in bench.samples
    }
    return TaskFolder(folder, tasks, {"made_from": {"bench": path}}, bench.images)
