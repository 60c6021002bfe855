"""The right answer of a row: one, or several references, and which options they stand for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RowError
from pipeline.records import GoldReading, References
from pipeline.source_config import AtLeast, SourceConfig
from stages.load.sources.literals import structured
from stages.load.sources.values import absent, scalar
from stages.verify.golds import is_index, is_named, read_gold, spelled
from stages.verify.listed import options_in
from stages.verify.notation import plain
from stages.verify.options import lettered, real_texts

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


def proper(value: Any, pattern: str) -> Any:
    """What `answer_pattern` finds in an answer, or in each of a list: the first group of the last match.

    Raises:
        RowError: it matches nothing.
    """
    if isinstance(value, (list, tuple)):
        return [proper(item, pattern) for item in value]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return value
    text = value if isinstance(value, str) else scalar("answer", value)
    found = list(re.finditer(pattern, text, re.DOTALL))
    if not found:
        raise RowError("missing_answer", f"`answer_pattern` matches nothing in the answer {text[-80:]!r}")
    return found[-1][1] or ""


def _items(value: Any, source: SourceConfig) -> list[Any]:
    """The items of a list; of one that is written as text too, if it can only be meant as one.

    Raises:
        RowError: a text such as `[0, 1]`, which may be an interval or two references. `all` of them are the same gold.
    """
    listed = structured(value)
    if isinstance(value, str) and isinstance(listed, list):
        quoted = len(listed) > 1 and all(isinstance(item, str) for item in listed)
        numbers = len(listed) > 1 and not any(isinstance(item, str) for item in listed)
        if numbers and source.references not in (None, "all") and source.gold not in ("index0", "index1"):
            raise RowError(
                "ambiguous_list",
                f"{value[:60]!r} is a text: one answer (an interval, a point), or {len(listed)} references? Write "
                f"{json.dumps([str(item) for item in listed])[:60]} for these, or ${value[:60]}$ for that",
            )
        return listed if source.references is not None or quoted else [value]
    return list(value) if isinstance(value, (list, tuple)) else [value]


@dataclass(frozen=True, slots=True)
class GoldRules:
    """What is known of all golds of a source.

    `reading` tells what they are beside the rows' own options, where the source does not say it. `check_listed` refuses
    a source whose golds may be indices of options in its questions. `demand_options`: letters need options.
    """

    reading: Callable[[], GoldReading] = lambda: "letter"
    check_listed: Callable[[], None] = lambda: None
    demand_options: bool = True


NO_RULES = GoldRules()
"""For rows that stand alone."""


def settle(
    given: Given, options: tuple[str, ...], question: str, source: SourceConfig, rules: GoldRules
) -> tuple[str, References | None]:
    """The answer as it is judged and published, and the references if there are several.

    Args:
        options: the row's own, without those that stand in the question.

    Raises:
        RowError: a gold stands for no option, or can't be understood without options.
    """
    if options:
        meaning = rules.reading() if source.gold == "auto" else source.gold
    elif source.gold in ("index0", "index1"):
        options, meaning = options_in(question), source.gold
        if not options:
            raise RowError("gold_without_options", f"{given.golds[0]!r} is an index (gold: {meaning}), but {_UNKNOWN}")
    else:
        if rules.demand_options and source.gold == "auto":
            _check_listed(given.golds, options_in(question), rules)
        return _joined(given.golds, given)
    indices = [_chosen(gold, options, question, meaning) for gold in given.golds]
    options = lettered(options, question)
    if given.at_least is None:
        return spelled(frozenset().union(*indices), options), None
    as_given = given.golds if meaning in ("letter", "text") else [None] * len(indices)
    return _joined([spelled(each, options, gold) for each, gold in zip(indices, as_given, strict=True)], given)


_UNKNOWN = "no options are known: name their column in `fields: {options: …}`"


def _check_listed(golds: tuple[str, ...], listed: tuple[str, ...], rules: GoldRules) -> None:
    """Letters may stand for options that nobody was shown; and golds beside options in a question must name some."""
    for gold in golds:
        if not listed and plain(gold) and _LETTERS.fullmatch(plain(gold)):
            mend = "set `gold: letter` if the picture shows them or none are meant"
            raise RowError(
                "gold_without_options", f"{gold!r} looks like a letter of an option, but {_UNKNOWN}, or {mend}"
            )
        if listed and is_index(gold):
            rules.check_listed()
        if listed and not is_named(gold, listed):
            raise RowError(
                "gold_not_an_option",
                f"{gold!r} is none of the {len(listed)} options in the question: correct one of them, or set "
                "`gold: letter` if only letters stand for options",
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
