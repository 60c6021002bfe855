"""`visualprm annotate export`: a bench in VisualProcessBench's row format, or an audit that a run's card shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.store import Store, one_line_io_errors
from stages.annotate_steps.agreement import agreement, together
from stages.annotate_steps.labels import Entry, current, read_entries, settled
from stages.annotate_steps.tasks import ABOUT, Task, TaskFolder
from stages.publish.hand_labels import NAME

_NUMBERS = {"correct": 1, "incorrect": -1, "neutral": 0}
Key = tuple[str, int]


def export_bench(folder: TaskFolder, out: str) -> str:
    """Writes `test.jsonl`, the pictures and where the labels come from; returns a line about it.

    A solution of which a step has no label, or labels that nobody has settled, is left out and counted.

    Raises:
        UserError: no solution is labelled to its end, or the folder holds something.
    """
    place = Path(out)
    if place.exists() and any(place.iterdir()):
        raise UserError(f"--out {out}: holds something: name another folder")
    entries = read_entries(folder.path)
    said, decided = current(entries), settled(entries)
    final = together(said, decided)
    left_out: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    used: list[Task] = []
    for task in folder.tasks.values():
        found = [final.get((task.id, step)) for step in range(len(task.steps))]
        if any(one is None for one in found):
            left_out["not labelled to its end"] += 1
        elif any(one is not None and one[0] is None for one in found):
            left_out["disagreement not settled"] += 1
        else:
            rows.append(_row(task, [one for one in found if one is not None], said))
            used.append(task)
    if not rows:
        why = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise UserError(
            f"{folder.path}: no solution can be exported ({why}): label on with `visualprm annotate {folder.path}`"
        )
    about = {**provenance(folder, said, entries), "solutions": len(rows), "left_out": dict(left_out)}
    with one_line_io_errors(out), atomic.new_folder(place) as staging:
        for name in dict.fromkeys(name for task in used for name in task.images):
            target = Path(staging) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic.opened(str(target)) as file:
                file.write(folder.picture(name))
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        for name, text in (("test.jsonl", lines), (ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")):
            with atomic.opened(f"{staging}/{name}") as file:
                file.write(text.encode())
    told = "".join(f", {count:,} left out: {reason}" for reason, count in left_out.items())
    return f"{out}: {len(rows):,} solutions{told}; `visualprm evaluate PRM {out}` reads it"


def export_audit(folder: TaskFolder, run: str) -> str:
    """Puts people's labels beside a run, whose next `visualprm publish` shows them on the card; returns a line about it.

    Raises:
        UserError: no run is there, or nobody has labelled a step.
    """
    store = Store(run)
    if not store.exists("ledger.json"):
        raise UserError(
            f"--run {run}: no run is here: name the run directory that the audited dataset is published from"
        )
    entries = read_entries(folder.path)
    said = current(entries)
    final = together(said, settled(entries))
    steps = [
        {"id": task, "step": step, "label": label}
        for (task, step), (label, _) in sorted(final.items())
        if label is not None
    ]
    if not steps:
        raise UserError(f"{folder.path}: nobody has labelled a step yet: `visualprm annotate {folder.path}`")
    store.write_json(NAME, {**provenance(folder, said, entries), "steps": steps})
    return f"{run}/{NAME}: {len(steps):,} steps; `visualprm publish {run}` puts them on the card"


def provenance(folder: TaskFolder, said: Mapping[Key, Mapping[str, Entry]], entries: list[Entry]) -> dict[str, Any]:
    """Where tasks and labels come from, how far people agree, and how often somebody had looked at other labels before."""
    found = agreement(said)
    standing = [entry for held in said.values() for entry in held.values()]
    return {
        "tasks": dict(folder.about),
        "annotators": sorted({entry.annotator for entry in entries if entry.label is not None}),
        "labels": len(standing),
        "labels_after_a_look": sum(entry.saw for entry in standing),
        "agreement": {"steps": found.steps, "krippendorff_alpha": found.alpha, "equal_pairs": found.equal_pairs},
    }


def _row(task: Task, found: list[tuple[Any, str]], said: Mapping[Key, Mapping[str, Entry]]) -> dict[str, Any]:
    categories = [
        sorted(
            {
                entry.category
                for entry in said.get((task.id, step), {}).values()
                if entry.category and entry.label == label
            }
        )
        for step, (label, _) in enumerate(found)
    ]
    return {
        "id": task.id,
        "image": list(task.images),
        "question": task.question,
        "answer": task.answer,
        "response": {
            "answer": task.response_answer,
            "steps": list(task.steps),
            "process_correctness": [_NUMBERS[label] for label, _ in found],
        },
        "policy_model": task.policy,
        "data_source": task.source,
        "annotation": {"decided_by": [how for _, how in found], "error_categories": categories},
    }
