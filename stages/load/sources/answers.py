"""The right answer of a row: one, or several references, and which options they stand for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.config import AtLeast, SourceConfig
from pipeline.errors import RowError
from pipeline.records import GoldReading, References
from stages.load.sources.values import absent, scalar, structured
from stages.verify.golds import read_gold, spelled
from stages.verify.notation import plain
from stages.verify.options import by_letters, by_text, lettered, options_in, real_texts

_LETTERS = re.compile(r"\(?[A-H]\)?|A?B?C?D?E?F?G?H?|[A-H](?:, ?[A-H])+")
"""Answers that look like options where none are known; several of them in order, so not `BAD` or `EACH`."""


@dataclass(frozen=True, slots=True)
class Given:
    """A row's golds; `at_least` is null if all of them are needed, and 1 for a single one."""

    golds: tuple[str, ...]
    at_least: int | None = 1


def read_answer(value: Any, source: SourceConfig) -> Given:
    """The answer or answers of a row.

    Raises:
        RowError: there is none, or there are several and the source does not say what that means.
    """
    if absent(value):
        raise RowError("missing_answer", "the row has no answer")
    items = _items(value, source)
    golds = tuple(filter(None, (scalar("answer", item) for item in items)))
    if not golds:
        raise RowError("empty_answer", "there is no text in the answer")
    if len(set(golds)) == 1:
        return Given(golds[:1])
    if source.references is None:
        raise RowError(
            "several_references",
            f"the answer is a list of {len(golds)}: set `references: any` if each of them is right, `all` if all are "
            "needed, or `{at_least: 3}` if an answer must equal so many of them",
        )
    if isinstance(source.references, AtLeast):
        return Given(golds, source.references.at_least)
    return Given(golds, None if source.references == "all" else 1)


def _items(value: Any, source: SourceConfig) -> list[Any]:
    """The items of a list; of one that is written as text too, if it can only be meant as one."""
    listed = structured(value)
    if isinstance(value, str) and isinstance(listed, list):
        quoted = len(listed) > 1 and all(isinstance(item, str) for item in listed)
        return listed if source.references is not None or quoted else [value]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def settle(
    given: Given,
    options: tuple[str, ...],
    question: str,
    source: SourceConfig,
    reading: Callable[[], GoldReading],
    demand_options: bool,
) -> tuple[str, References | None]:
    """The answer as it is judged and published, and the references if there are several.

    Args:
        options: the row's own, without those that stand in the question.
        reading: what the golds of the source are, called only where that is not set and matters.
        demand_options: refuse a letter where no options are known.

    Raises:
        RowError: a gold stands for no option, or can't be understood without options.
    """
    if options:
        meaning = reading() if source.gold == "auto" else source.gold
        indices = [_chosen(gold, options, question, meaning) for gold in given.golds]
    elif source.gold in ("index0", "index1"):
        options, meaning = options_in(question), source.gold
        if not options:
            raise RowError("gold_without_options", f"{given.golds[0]!r} is an index (gold: {meaning}), but {_UNKNOWN}")
        indices = [_chosen(gold, options, question, meaning) for gold in given.golds]
    else:
        if demand_options and source.gold == "auto":
            for gold in given.golds:
                _check_letter(gold, options_in(question))
        return _joined(given.golds, given)
    options = lettered(options, question)
    as_given = meaning in ("letter", "text")
    if given.at_least is None:
        return spelled(frozenset().union(*indices), options), None
    return _joined(
        [spelled(each, options, gold if as_given else None) for each, gold in zip(indices, given.golds, strict=True)],
        given,
    )


_UNKNOWN = "no options are known: name their column in `fields: {options: …}`"


def _check_letter(gold: str, listed: tuple[str, ...]) -> None:
    """A letter without options may stand in a picture, or for options that nobody was shown."""
    text = plain(gold)
    if not text or not _LETTERS.fullmatch(text):
        return
    if not listed:
        mend = "set `gold: letter` if the picture shows them or none are meant"
        raise RowError("gold_without_options", f"{gold!r} looks like a letter of an option, but {_UNKNOWN}, or {mend}")
    if by_letters(text, len(listed)) is None and by_text(text, real_texts(listed)) is None:
        raise RowError(
            "gold_not_an_option",
            f"{gold!r} is none of the {len(listed)} options in the question: correct one of them, "
            "or set `gold: letter` if there are more",
        )


def _chosen(gold: str, options: tuple[str, ...], question: str, meaning: GoldReading) -> frozenset[int]:
    """The options that a gold stands for, by their letters as the question shows them."""
    indices = read_gold(gold, options, meaning)
    if indices is None:
        raise RowError("gold_not_an_option", f"{gold!r} is none of the {len(options)} options (gold: {meaning})")
    shown = lettered(options, question)
    if shown == options:
        return indices
    if meaning == "letter":
        detail = f"the question lists the options in another order than the row: which one is {gold!r}?"
        raise RowError("options_disagree", f"{detail} Set `fields: {{options: null}}` if the question is right")
    texts, there = real_texts(options), real_texts(shown)
    return frozenset(there.index(texts[index]) for index in indices)


def _joined(golds: list[str] | tuple[str, ...], given: Given) -> tuple[str, References | None]:
    if given.at_least is None:
        return f"[{', '.join(golds)}]", None
    (answer, _), *others = Counter(golds).most_common()
    return answer, References(tuple(golds), given.at_least) if others else None
