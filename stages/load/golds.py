"""What the golds of a source mean: read from all its rows, once, when a row needs to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError, UserError
from pipeline.records import GoldReading
from stages.load.ahead import once
from stages.load.sources.answers import GoldRules
from stages.load.sources.fields import read_question, row_answer, row_id, row_options
from stages.load.sources.readers import open_rows
from stages.verify.golds import Golds, count_golds, is_index
from stages.verify.listed import options_in

_Options = Callable[[Mapping[str, Any], SourceConfig], tuple[str, ...]]


def gold_rules(
    source: SourceConfig, readings: MutableMapping[str, GoldReading], demand_options: bool = True
) -> GoldRules:
    """The rules for a source's rows. What `readings` has by its name stands, and what is found is put in there.

    The rules raise a UserError where it can't be told what the golds are. The source's `limit` is left aside.
    """

    @once
    def reading() -> GoldReading:
        if source.name not in readings:
            golds = _count(source, lambda row, source: row_options(row, source).texts)
            if (found := golds.reading()) is None:
                raise UserError(f"source {source.name!r}: gold: {golds.complaint()}")
            readings[source.name] = found
        return readings[source.name]

    @once
    def check_listed() -> None:
        golds = _count(source, _listed, only_indices=True)
        if golds.are_indices():
            raise UserError(
                f"source {source.name!r}: gold: whole numbers beside options in the question: {golds.complaint()}, or "
                "`gold: letter` if they are not options"
            )

    return GoldRules(reading, check_listed, demand_options)


def _listed(row: Mapping[str, Any], source: SourceConfig) -> tuple[str, ...]:
    """Options that only the question has."""
    return () if row_options(row, source).texts else options_in(read_question(row, source))


def _count(source: SourceConfig, options_of: _Options, only_indices: bool = False) -> Golds:
    def rows() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        for number, row in open_rows(source.model_copy(update={"limit": None})):
            if isinstance(row, Mapping):
                # A row that can't be used says nothing, and will be refused.
                with suppress(RowError):
                    options, golds = options_of(row, source), row_answer(row, source).golds
                    if options and not (only_indices and not all(map(is_index, golds))):
                        yield row_id(row, number, source), golds, options

    return count_golds(rows())
