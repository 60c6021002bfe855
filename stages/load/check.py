"""`visualprm check`: what the sources of a configuration hold, and what is wrong with the rows that can't be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.config import RunConfig
from pipeline.markdown import Row, markdown_table
from pipeline.records import Problem, Rejected
from pipeline.store import Store
from stages.load.add.mends import field_mends
from stages.load.faults import Faults
from stages.load.parse import SourceSummary, summarise, total
from stages.load.paths import locate
from stages.load.problems import read_sources, recorded_readings
from stages.load.screen import open_screen

MAX_FAULTS = 20
"""Faults that are told apart; a run's quarantine has every row."""
_COLUMN_REASONS = ("duplicate", "contaminated")


def check_sources(config: RunConfig) -> Answer:
    """Reads every source and judges every gold answer, without an engine. Wrong are sources without a usable row."""
    screen = open_screen(config)
    # What lies elsewhere is not asked for: a check needs no credentials.
    readings = {} if "://" in config.run_dir else recorded_readings(Store(config.run_dir))
    faults = Faults()

    def noted() -> Iterator[Problem | Rejected]:
        for item in read_sources(config, screen, readings):
            if isinstance(item, Rejected) and item.reason not in _COLUMN_REASONS:
                faults.add(item)
            yield item

    summaries = summarise(noted())
    table = _check_table(summaries, screened=screen is not None)
    mends = field_mends(locate(config.sources, config.data_root), faults)
    golds = [f"gold of {name}: {reading} (auto)" for name, reading in readings.items()]
    blocks = [[table], golds, screen.summary() if screen else [], faults.lines(MAX_FAULTS), mends]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    data = {
        "sources": {each.source: _figures(each, screen is not None) for each in summaries},
        "total": _figures(total(summaries), screen is not None),
        "golds": readings,
        "faults": faults.as_data(),
        "mends": mends,
    }
    return Answer(text, data, _unusable(config, summaries))


def _unusable(config: RunConfig, summaries: Sequence[SourceSummary]) -> str:
    """Rows that all are another source's, or were dropped as contaminated, are no fault of the source."""
    settled = {item.source: item.rows - sum(_bad(item).values()) for item in summaries}
    empty = [source.name for source in config.sources if source.fields.source is None and not settled.get(source.name)]
    if not empty:
        return ""
    names = ", ".join(map(repr, empty))
    return f"no row can be used of {names}: correct the entry as said above, or remove it"


def _bad(summary: SourceSummary) -> dict[str, int]:
    return {reason: count for reason, count in summary.rejected.most_common() if reason not in _COLUMN_REASONS}


def _check_table(summaries: Sequence[SourceSummary], screened: bool) -> str:
    rows = [_check_row(summary.source, _figures(summary, screened)) for summary in (*summaries, total(summaries))]
    return markdown_table(("source", "rows", "problems", "duplicates", "contaminated", "bad", "why", "answers"), rows)


def _figures(summary: SourceSummary, screened: bool) -> dict[str, Any]:
    """What `--json` says of a source."""
    return {
        "rows": summary.rows,
        "problems": summary.rows - summary.rejected.total(),
        "duplicates": summary.rejected["duplicate"],
        "contaminated": summary.flagged + summary.rejected["contaminated"] if screened else None,
        "bad": _bad(summary),
        "answers": dict(summary.answers.most_common()),
    }


def _check_row(source: str, figures: dict[str, Any]) -> Row:
    bad, contaminated = figures["bad"], figures["contaminated"]
    return (
        source,
        f"{figures['rows']:,}",
        f"{figures['problems']:,}",
        f"{figures['duplicates']:,}",
        "–" if contaminated is None else f"{contaminated:,}",
        f"{sum(bad.values()):,}",
        ", ".join(f"{reason} {count:,}" for reason, count in bad.items()),
        ", ".join(f"{kind} {count:,}" for kind, count in figures["answers"].items()),
    )
