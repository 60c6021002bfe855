"""`visualprm settings`: every key that a command's settings take, as text for a terminal or as `docs/settings.md`."""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.errors import UserError, closest
from pipeline.markdown import compact_table
from pipeline.reference.describe import Setting, settings_of

WIDTH = 100
"""Columns that text is wrapped to."""


@dataclass(frozen=True, slots=True)
class Part:
    """The settings of some commands: where they are given, and the `module:class` that checks them, as text."""

    title: str
    given: str
    model: str


PARTS = (
    Part(
        "dataset",
        "A dataset run: the config of `visualprm dataset`, `check`, `plan`, `bon sample` and `bon search`.",
        "pipeline.config:RunConfig",
    ),
    Part(
        "judge",
        "A judge: the file of `visualprm judge RUN|DATASET --with FILE`.",
        "stages.judge.config:JudgeConfig",
    ),
    Part("train", "A training: the config of `visualprm train`.", "stages.train.config:TrainConfig"),
    Part(
        "evaluate",
        "Arguments `key.sub=value` of `visualprm evaluate`.",
        "stages.evaluate.run:EvaluateSettings",
    ),
    Part("bon report", "Arguments `key=value` of `visualprm bon report`.", "stages.best_of_n.report:ReportSettings"),
    Part("bon search", "Flags of `visualprm bon search`, `--beams 4`.", "stages.best_of_n.search:SearchSettings"),
)
"""In the order in which a person meets them."""

_HEAD = """# Settings

Made by `visualprm settings --markdown > docs/settings.md` from the settings' own types and docstrings: change these, then
call it again. `visualprm settings KEY` shows the same in a terminal.

A config is a YAML file; `extends: other.yaml` starts from another one. On the command line, `key.sub=value` replaces a
value, with the value in YAML: `sampling.num_solutions=2`, `sources.0.limit=100`. `N` stands for an entry's number, from 0,
`NAME` for a name that you choose. A key without a default must be given. Unknown keys are refused.
"""


@cache
def settings_by_part() -> Mapping[str, Sequence[Setting]]:
    """The settings of each part, by its title."""
    found = {}
    for part in PARTS:
        module, _, name = part.model.partition(":")
        found[part.title] = settings_of(getattr(importlib.import_module(module), name))
    return found


def settings_text(key: str | None) -> str:
    """All settings, or those that a key names: a whole one, or else the beginning or the end of some.

    Raises:
        UserError: no setting has such a key; the closest is named.
    """
    chosen = settings_by_part() if key is None else _chosen(key, _is) or _chosen(key, _begins_or_ends)
    if not chosen:
        raise UserError(f"settings: no key {key!r}{_meant(str(key))}; `visualprm settings` lists all")
    given = {part.title: part.given for part in PARTS}
    return "\n\n".join("\n".join([f"{title}: {given[title]}", "", *_lines(each)]) for title, each in chosen.items())


def settings_markdown() -> str:
    """The text of docs/settings.md."""
    blocks = [_HEAD]
    for part in PARTS:
        rows = [
            (f"`{each.key}`", each.type, "" if each.default is None else f"`{each.default}`", each.meaning)
            for each in settings_by_part()[part.title]
        ]
        table = compact_table(("key", "type", "default", "meaning, unit"), rows, texts=4)
        blocks.append(f"## {part.title}\n\n{part.given}\n\n{table}\n")
    return "\n".join(blocks)


def _plain(key: str) -> str:
    """A key without indices: `sources.0.path` and `sources.N.path` are `sources.path`."""
    return re.sub(r"\.(N|\d+)(?=\.|$)", "", key)


def _chosen(wanted: str, fits: Callable[[list[str], list[str]], bool]) -> dict[str, list[Setting]]:
    asked = _plain(wanted).split(".")
    found = {
        title: [each for each in settings if fits(_plain(each.key).split("."), asked)]
        for title, settings in settings_by_part().items()
    }
    return {title: settings for title, settings in found.items() if settings}


def _is(words: list[str], asked: list[str]) -> bool:
    """Whether the words are those asked for; any word fits NAME."""
    return len(words) == len(asked) and all(a in (b, "NAME") for a, b in zip(words, asked, strict=True))


def _begins_or_ends(words: list[str], asked: list[str]) -> bool:
    return _is(words[: len(asked)], asked) or _is(words[-len(asked) :], asked)


def _meant(wanted: str) -> str:
    keys = [_plain(each.key) for part in settings_by_part().values() for each in part]
    close = closest(_plain(wanted), [*keys, *(key.split(".")[-1] for key in keys)])
    return "" if close is None else f"; did you mean {close!r}?"


def _lines(settings: Sequence[Setting]) -> Iterator[str]:
    for each in settings:
        default = "must be given" if each.default is None else f"default {each.default}"
        yield f"{each.key}  ({each.type}; {default})"
        yield from textwrap.wrap(each.meaning, WIDTH, initial_indent="    ", subsequent_indent="    ")
