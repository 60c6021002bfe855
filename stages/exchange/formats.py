"""The file formats of `visualprm import` and `visualprm export`, by name.

A new format is a file in this folder and an entry of `FORMATS`: the command line takes its name, and the options that
it heeds.
"""

from __future__ import annotations

from stages.exchange import conversations, dualmath, math_shepherd, messages, prm800k, raw, stepwise
from stages.exchange.format import Format, Reader, Writer

FORMATS: dict[str, Format] = {
    "conversations": conversations.FORMAT,
    "raw": raw.FORMAT,
    "messages": messages.FORMAT,
    "math-shepherd": math_shepherd.FORMAT,
    "prm800k": prm800k.FORMAT,
    "dualmath": dualmath.FORMAT,
    "stepwise": stepwise.FORMAT,
    "parquet": Format(copies=True),
}


def readers() -> dict[str, Reader]:
    """The formats that can be imported."""
    return {name: each.reader for name, each in FORMATS.items() if each.reader}


def writers() -> dict[str, Writer]:
    """The formats that rows can be written in."""
    return {name: each.writer for name, each in FORMATS.items() if each.writer}


def exports() -> list[str]:
    """The names of the formats that a dataset can be exported to."""
    return [name for name, each in FORMATS.items() if each.writer or each.copies]


def heeding(option: str) -> list[str]:
    """The formats that have a place for what an option of `visualprm export` asks for; no other one can heed it."""
    return [name for name, writer in writers().items() if option in writer.heeds]
