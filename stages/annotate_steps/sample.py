"""`visualprm annotate sample`: what people are to label, drawn from a dataset, a run, a pool or a bench."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.records import Image
from pipeline.store import one_line_io_errors
from pipeline.terminal.speak import say
from stages.annotate_steps.tasks import ABOUT, TASKS, Task
from stages.browse.collection import ORIGINS, STATUSES
from stages.browse.places import Opened, find, open_all

_MC = sum(1 << ORIGINS.index(name) for name in ("measured", "implied"))


@dataclass(frozen=True)
class SampleSettings:
    """`solutions` to label whole, or `steps` of as many solutions for an audit; shared out among `annotators`.

    `rule` is what a label is about, a key of `tasks.RULES`.
    """

    solutions: int | None
    steps: int | None
    annotators: tuple[str, ...]
    overlap: float
    seed: int
    rule: str = "step"


def sample(uri: str, out: str, settings: SampleSettings) -> str:
    """Writes a folder of tasks, and returns a line about it.

    Raises:
        UserError: nothing to label is there, or the folder holds something.
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--out {out}: holds something: name another folder; labels are never drawn over")
    if not 0 <= settings.overlap <= 1:
        raise UserError(f"--overlap {settings.overlap:g}: must be from 0 to 1")
    given = find([uri])
    if not given.collections:
        raise UserError(f"{uri}: nothing to label is here: name a dataset, a run, a pool or a bench")
    (opened,) = open_all(given, say)
    rng = random.Random(settings.seed)
    if settings.steps is not None:
        asked, shares = audited_steps(opened, settings.steps, rng)
        chosen: dict[int, tuple[int, ...]] = {solution: (step,) for solution, step in asked}
    else:
        shares = {}
        chosen = dict.fromkeys(balanced(opened, settings.solutions or 0, rng), ())
    if not chosen:
        raise UserError(f"{uri}: has no solution to label" + (" with an mc label" if settings.steps else ""))
    about = {
        "made_from": {"uri": uri, "kind": opened.collection.kind, "solutions": len(opened.index)},
        "annotators": list(settings.annotators),
        "overlap": settings.overlap,
        "seed": settings.seed,
        "labels_are_about": settings.rule,
        "kind": "steps" if settings.steps is not None else "solutions",
        **({"label_shares": shares} if shares else {}),
    }
    with one_line_io_errors(out), atomic.new_folder(out) as staging:
        tasks = [_task(opened, solution, ask, Path(staging)) for solution, ask in chosen.items()]
        lines = "".join(json.dumps(task.row(), ensure_ascii=False) + "\n" for task in tasks)
        for name, text in ((TASKS, lines), (ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")):
            with atomic.opened(f"{staging}/{name}") as file:
                file.write(text.encode())
    steps = sum(len(task.ask) for task in tasks)
    return f"{out}: {len(tasks):,} solutions, {steps:,} steps to label; `visualprm annotate {out}` opens them"


def balanced(opened: Opened, count: int, rng: random.Random) -> list[int]:
    """As many solutions of each source, policy and kind of answer (right, wrong) as there are, in turn."""
    index = opened.index
    right = (index.numbers["status"] == STATUSES.index("correct")).astype(int)
    held: dict[tuple[int, int, int], list[int]] = {}
    for solution in np.flatnonzero(index.numbers["steps"] > 0):
        key = (int(index.numbers["source"][solution]), int(index.numbers["policy"][solution]), int(right[solution]))
        held.setdefault(key, []).append(int(solution))
    strata = [held[key] for key in sorted(held)]
    for stratum in strata:
        rng.shuffle(stratum)
    found: list[int] = []
    while len(found) < count and any(strata):
        for stratum in strata:
            if stratum and len(found) < count:
                found.append(stratum.pop())
    return found


def audited_steps(opened: Opened, count: int, rng: random.Random) -> tuple[list[tuple[int, int]], dict[str, float]]:
    """Steps with an mc label, half of each label, at most one of a solution; and the share of each label in the collection.

    A last step that has its solution's own verdict is not among them: no continuation measured it.
    """
    labels = opened.index.table["labels"].combine_chunks()
    offsets, values = labels.offsets.to_numpy(), labels.values.to_numpy()
    owner = np.repeat(np.arange(len(opened.index)), np.diff(offsets))
    origins = opened.index.numbers["origins"].astype(int)
    last = np.arange(len(values)) == offsets[owner + 1] - 1
    own = last & ((origins[owner] >> ORIGINS.index("own_answer") & 1) == 1)
    usable = (origins[owner] & _MC > 0) & ~own
    found: list[tuple[int, int]] = []
    shares: dict[str, float] = {}
    used: set[int] = set()
    total = int(np.count_nonzero(usable & (values >= 0)))
    for sign, label, wanted in (("+", 1, math.ceil(count / 2)), ("-", 0, count // 2)):
        steps = [int(one) for one in np.flatnonzero(usable & (values == label))]
        shares[sign] = len(steps) / total if total else 0.0
        rng.shuffle(steps)
        taken = 0
        for step in steps:
            solution = int(owner[step])
            if taken < wanted and solution not in used:
                used.add(solution)
                found.append((solution, step - int(offsets[solution])))
                taken += 1
    rng.shuffle(found)
    return found, shares


def _task(opened: Opened, solution: int, ask: Sequence[int], folder: Path) -> Task:
    problem = int(opened.index.problem[solution])
    view = opened.problem(problem)
    (wanted,) = opened.index.solution_ids([solution])
    one = next(each for each in view.solutions if each.id == wanted)
    names = [_keep(data, folder) for data in opened.pictures(problem)]
    return Task(
        id=one.id,
        source=view.source,
        policy=one.policy,
        question=view.question,
        answer=view.answer,
        images=tuple(names),
        steps=tuple(step.text for step in one.steps),
        ask=tuple(ask) or tuple(range(len(one.steps))),
        options=view.options,
        response_answer=one.answer,
        correct=None if one.status == "unknown" else one.status == "correct",
        scores=tuple(step.score for step in one.steps),
        labels=tuple(step.label for step in one.steps),
    )


def _keep(data: bytes, folder: Path) -> str:
    """Writes a picture under a name that says what is in it."""
    import io

    image = Image.of(data)
    try:
        with PIL.Image.open(io.BytesIO(data)) as opened:
            suffix = (opened.format or "bin").lower()
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        suffix = "bin"
    name = f"images/{image.sha256[:24]}.{suffix}"
    (folder / "images").mkdir(exist_ok=True)
    if not (folder / name).exists():
        with atomic.opened(str(folder / name)) as file:
            file.write(data)
    return name
