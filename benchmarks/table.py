"""The table of all benchmarks, as Markdown, and its place in docs/benchmarks.md. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.results import Result
from benchmarks.shape import Benchmark, Figure
from pipeline.errors import UserError
from pipeline.markdown import markdown_table

BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"
"""Everything between these lines is written by `make bench`; the rest of the document is by hand."""
NOT_MEASURED = "not measured"

HEADER = ("benchmark", "figure", "target", "median", "least – most", "met", "ours / baseline")
SOURCES = ("benchmark", "on", "runs", "commit", "date", "load before")


def render(benchmarks: Mapping[str, Benchmark], results: Mapping[str, Result | None]) -> str:
    """One table of all figures, and where they are from."""
    lines = [
        line(name if index == 0 else "", figure, result.runs if (result := results.get(name)) else [])
        for name, benchmark in benchmarks.items()
        for index, figure in enumerate(benchmark.figures)
    ]
    measured = {name: result for name in benchmarks if (result := results.get(name))}
    parts = [markdown_table(HEADER, lines)]
    if measured:
        sources = [_source(name, benchmarks[name], result) for name, result in measured.items()]
        parts += [markdown_table(SOURCES, sources), _places(measured)]
    return "\n\n".join(parts)


def line(name: str, figure: Figure, runs: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """A figure as a row; a run that couldn't measure it doesn't count."""
    values = [value for run in runs if (value := figure.value(run)) is not None]
    if not values:
        return (name, figure.what, asked(figure), NOT_MEASURED, "", "", "")
    median = statistics.median(values)
    met = {True: "yes", False: "**no**", None: ""}[figure.met(median)]
    spread = f"{number(figure, min(values))} – {number(figure, max(values))}" if len(values) > 1 else "one run"
    return (name, figure.what, asked(figure), number(figure, median), spread, met, _sides(figure, runs))


def missed(benchmark: Benchmark, result: Result) -> list[str]:
    """The figures whose median isn't what was asked for."""
    lines = [(figure.what, line("", figure, result.runs)) for figure in benchmark.figures]
    return [what for what, cells in lines if cells[5] == "**no**"]


def asked(figure: Figure) -> str:
    scale, unit = (100, " %") if figure.unit == "%" else (1, "" if figure.baseline else f" {figure.unit}".rstrip())
    bounds = [("≥", figure.at_least), ("≤", figure.at_most)]
    return ", ".join(f"{sign} {bound * scale:g}{unit}" for sign, bound in bounds if bound is not None)


def number(figure: Figure, value: float) -> str:
    """With unit: `0.898`, `5,174 tokens/s`, `3.2 %`."""
    unit = "" if figure.baseline else figure.unit
    return _digits(100 * value if unit == "%" else value, figure.digits) + (f" {unit}" if unit else "")


def _digits(value: float, digits: int) -> str:
    if abs(value) >= 10 ** (digits - 1) or value == int(value):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}"


def _sides(figure: Figure, runs: Sequence[Mapping[str, float]]) -> str:
    """The two numbers that a ratio is of, as medians."""
    if figure.baseline is None:
        return ""
    pairs = [(run[figure.ours], run[figure.baseline]) for run in runs if figure.value(run) is not None]
    ours, baseline = (_digits(statistics.median(side), 3) for side in zip(*pairs, strict=True))
    return f"{ours} / {baseline} {figure.unit}".strip()


def _source(name: str, benchmark: Benchmark, result: Result) -> tuple[str, ...]:
    keys = dict.fromkeys(key for run in result.runs for key in run)
    medians = {key: statistics.median(run[key] for run in result.runs if key in run) for key in keys}
    on = benchmark.on.format(**result.settings, **medians)
    load = " ".join(f"{value:.1f}" for value in result.load)
    return (name, on, str(len(result.runs)), result.surroundings.commit, result.date, load)


def _places(measured: Mapping[str, Result]) -> str:
    """Machine and versions; with names where they are not the same for all."""
    places: dict[str, list[str]] = {}
    for name, result in measured.items():
        where = f"{result.surroundings.machine}; {result.surroundings.versions}"
        places.setdefault(where, []).append(name)
    if len(places) == 1:
        return f"Machine: {next(iter(places))}."
    return "\n".join(f"- {', '.join(names)}: {where}." for where, names in places.items())


def replaced(document: str, text: str) -> str:
    """The document with `text` between its marks.

    Raises:
        UserError: it lacks them.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"the document lacks the lines {BEGIN} and {END}: put them where the table belongs")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
