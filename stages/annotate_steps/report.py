"""`visualprm annotate report`: progress, agreement, what to settle, and how right a dataset's labels are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.markdown import markdown_table
from stages.annotate_steps.agreement import Agreement, agreement, disagreements, together
from stages.annotate_steps.labels import CATEGORIES, Entry, current, read_entries, settled
from stages.annotate_steps.shares import share_of
from stages.annotate_steps.tasks import TaskFolder
from stages.publish.hand_labels import Precision, brackets, precision, precision_table

Key = tuple[str, int]
_SHOWN = 20
_ALPHA = "1: they always agree, 0: no better than chance"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody is: tasks and steps done of those that are asked for, and labels given after a look at others'."""

    annotator: str
    tasks: int
    of_tasks: int
    steps: int
    of_steps: int
    saw: int
    sessions: int


@dataclass(frozen=True)
class Report:
    """Everything that the report's text and the page show."""

    progress: Sequence[Progress]
    agreement: Agreement
    open: Sequence[Key]
    categories: Mapping[str, int]
    neutral: int
    precision: Sequence[Precision]
    overall: tuple[float, float, float] | None
    """Of all labels of the dataset: the share that is right, by the share of each label, and its interval."""


def build(folder: TaskFolder) -> Report:
    """The report of the labels as they are now."""
    entries = read_entries(folder.path)
    said, decided = current(entries), settled(entries)
    final = together(said, decided)
    found = precision(_pairs(folder, final))
    kinds = Counter(entry.category for held in said.values() for entry in held.values() if entry.category)
    names = list(dict.fromkeys([*folder.annotators, *(entry.annotator for entry in entries)]))
    return Report(
        [_progress(folder, entries, said, name) for name in names],
        agreement(said),
        disagreements(said, decided),
        {CATEGORIES.get(kind, kind): count for kind, count in kinds.most_common()},
        sum(label == "neutral" for label, _ in final.values()),
        [one for one in found if one.judged],
        _overall(found, folder.about.get("label_shares")),
    )


def text(report: Report, folder: TaskFolder) -> str:
    """The report for a terminal, or as Markdown."""
    rows = [
        (
            one.annotator,
            f"{one.tasks:,} of {one.of_tasks:,}",
            f"{one.steps:,} of {one.of_steps:,}",
            f"{one.saw:,}",
            f"{one.sessions:,}",
        )
        for one in report.progress
    ]
    parts = [
        markdown_table(("annotator", "solutions", "steps", "after a look", "sessions"), rows)
        if rows
        else "Nobody has labelled yet.",
        agreement_text(report.agreement),
    ]
    if report.categories:
        parts.append("Errors: " + ", ".join(f"{count:,} {kind}" for kind, count in report.categories.items()) + ".")
    if report.precision:
        parts.append(precision_text(report))
    if report.open:
        shown = "\n".join(f"- {task} step {step + 1}" for task, step in report.open[:_SHOWN])
        more = f"\n- and {len(report.open) - _SHOWN:,} more" if len(report.open) > _SHOWN else ""
        parts.append(
            f"To settle, {len(report.open):,} steps (`visualprm annotate {folder.path}`, then Disagreements):\n\n{shown}{more}"
        )
    return "\n\n".join(parts)


def agreement_text(found: Agreement) -> str:
    """In one sentence or two."""
    if not found.steps:
        return "No step has labels of two people yet, so agreement is not measured."
    alpha = "not defined, as all labels are the same" if found.alpha is None else f"{found.alpha:.3f} ({_ALPHA})"
    equal = "–" if found.equal_pairs is None else f"{found.equal_pairs:.1%}"
    differ = ", ".join(
        f"{count:,} {one}/{other}" for (one, other), count in sorted(found.confusion.items()) if one != other
    )
    return (
        f"{found.steps:,} steps have labels of two people or more: Krippendorff's α (nominal) {alpha}, {equal} of pairs are equal"
        + (f"; the others: {differ}." if differ else ".")
    )


def precision_text(report: Report) -> str:
    """How right the dataset's labels are, as a table."""
    whole = ""
    if report.overall:
        share, low, high = report.overall
        whole = f"\n\nOver all labels, weighted by how frequent each is: {share:.1%} right, 95 % interval {brackets((low, high))}."
    return precision_table(report.precision) + whole


def _pairs(folder: TaskFolder, final: Mapping[Key, tuple[Any, str]]) -> Iterator[tuple[str | None, str | None]]:
    """The dataset's label of each step and what people call it together."""
    for (task, step), (label, _) in final.items():
        one = folder.tasks.get(task)
        if one is not None and step < len(one.labels):
            yield one.labels[step], label


def _overall(found: Sequence[Precision], shares: Mapping[str, float] | None) -> tuple[float, float, float] | None:
    """Of a sample that holds each label by design: weighted back, with the interval of a stratified sample."""
    if not shares or any(one.share is None and shares.get(one.sign) for one in found):
        return None
    share = sum((one.share or 0) * shares[one.sign] for one in found)
    # Wilson's interval of each label, put together as independent errors are.
    below, above = (
        sum((shares[one.sign] * ((one.share or 0) - one.interval[side])) ** 2 for one in found if one.interval) ** 0.5
        for side in (0, 1)
    )
    return share, max(0.0, share - below), min(1.0, share + above)


def _progress(
    folder: TaskFolder, entries: Sequence[Entry], said: Mapping[Key, Mapping[str, Entry]], name: str
) -> Progress:
    tasks = share_of(name, list(folder.tasks), folder.annotators, folder.overlap) or []
    done = {key for key, held in said.items() if name in held}
    whole = sum(all((task, step) in done for step in folder.tasks[task].ask) for task in tasks)
    return Progress(
        name,
        whole,
        len(tasks),
        len(done),
        sum(len(folder.tasks[task].ask) for task in tasks),
        sum(held[name].saw for held in said.values() if name in held),
        len({entry.session for entry in entries if entry.annotator == name}),
    )
