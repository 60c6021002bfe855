"""The pictures of docs/reproduction.md: accuracy over N, each of a few ways of choosing that are to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from demo.reproduction.claims import MEAN, WIDE, WIDE_SHORT, Json
from pipeline import atomic
from stages.best_of_n.plots import draw


class Picture(NamedTuple):
    """What one picture compares: the critics, and whether they rank or weigh votes."""

    suffix: str
    title: str
    critics: Sequence[str]
    votes: bool = False


PICTURES = (
    Picture("", "First choice by step scores, an outcome score, or the untrained base", ("value", "orm", "base")),
    Picture("-data", "First choice of critics that learned from more problems", (WIDE, WIDE_SHORT, "value")),
    Picture(
        "-targets",
        "First choice by what a step's score is trained to say",
        ("value", "threshold-1-16", "threshold-1-8", "threshold-1-4", "advantage", "stop"),
    ),
    Picture("-votes", "Votes weighted by critics", (WIDE, "value", "orm", "base"), votes=True),
)


def write(report: Json, document: Path) -> dict[str, str]:
    """Draws a pool's report beside the document, as PNG and SVG; the names of the PNG files and what each shows."""
    found: dict[str, str] = {}
    by_critic = {
        (way["critic"], way["kind"]): way["label"] for way in report["methods"] if way["aggregate"] in (None, MEAN)
    }
    for one in PICTURES:
        labels = names_of(one, by_critic)
        if not labels:
            continue
        stem = f"{document.stem}{one.suffix}"
        plot = draw(report, list(labels), one.title, labels)
        for name, data in plot.files(stem).items():
            atomic.write(document.with_name(name), data)
        found[f"{stem}.png"] = one.title
    return found


def names_of(one: Picture, by_critic: Mapping[tuple[str | None, str], str]) -> dict[str, str]:
    """The report's label of each way of a picture, and what it is called there; without critics that are not there."""
    kind = "vote" if one.votes else "best"
    return {by_critic[critic, kind]: critic for critic in one.critics if (critic, kind) in by_critic}
