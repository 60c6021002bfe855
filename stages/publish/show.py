"""`visualprm show`: a problem of a published dataset in the terminal, its steps with scores as bars."""

from __future__ import annotations

import io
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import PIL.Image
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.markdown import visible
from pipeline.records import problem_of
from pipeline.store import Store
from stages.publish.reading import shard_paths

WIDTH = 100
"""Columns that text is wrapped to."""
BAR = 10
"""Cells of a score bar."""

Row = Mapping[str, Any]
Draws = Mapping[tuple[str, int], Sequence[Row]]
"""(solution id, step index) → the ledger's draws."""

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"
_COLOURS = {"correct": _GREEN, "incorrect": _RED}
_WORDS = {True: ("right", _GREEN), False: ("wrong", _RED), None: ("not judged", _DIM)}


class Paint:
    """Colours text with ANSI codes, or leaves it as it is."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    @classmethod
    def for_stream(cls, stream: TextIO) -> Paint:
        """Colours on a terminal only, and not where NO_COLOR is set (no-color.org)."""
        return cls(stream.isatty() and not os.environ.get("NO_COLOR"))

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._enabled else text


def show(dataset: str, id_prefix: str | None = None, draws: str | None = None) -> None:
    """Prints a problem of the dataset in folder `dataset`: the first whose id begins with `id_prefix`.

    `draws` is a run directory, whose ledger holds the continuations.

    Raises:
        UserError: no dataset is there, no id begins so, or the run doesn't know the problem.
    """
    rows = find_problem(dataset, id_prefix or "")
    found = find_draws(draws, rows) if draws else {}
    for line in problem_lines(rows, found, Paint.for_stream(sys.stdout)):
        print(line)


def find_problem(dataset: str, id_prefix: str) -> list[dict[str, Any]]:
    """The rows of the first problem with an id that begins with `id_prefix`, in published order.

    Raises:
        UserError: no dataset is there, or no id begins so.
    """
    filesystem, shards = shard_paths(dataset)
    for shard in shards:
        with pq.ParquetFile(shard, filesystem=filesystem) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["id"])["id"].to_pylist()
                if matching := [index for index, key in enumerate(ids) if key.startswith(id_prefix)]:
                    problem = problem_of(ids[matching[0]])
                    chosen = [index for index in matching if problem_of(ids[index]) == problem]
                    rows: list[dict[str, Any]] = file.read_row_group(group).take(chosen).to_pylist()
                    return rows
    reason = f"no id begins with {id_prefix!r}" if id_prefix else "the dataset is empty"
    raise UserError(f"{dataset}: {reason}; an id looks like <problem>/<policy>/s0")


def find_draws(run: str, rows: Sequence[Row]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The ledger's draws at every step of the rows' problem.

    Raises:
        UserError: the run directory's ledger doesn't hold the problem.
    """
    store, problem = Store(run), problem_of(rows[0]["id"])
    for path in store.ledger_files():
        item = pq.read_table(path, filesystem=store.filesystem, filters=[("problem_id", "=", problem)])
        if item.num_rows:
            return {
                (solution["solution_id"], index): step["draws"]
                for solution in item["solutions"][0].as_py()
                for index, step in enumerate(solution["steps"])
            }
    raise UserError(f"{run}: the ledger doesn't hold problem {problem}; name the run that made the dataset")


def problem_lines(rows: Sequence[Row], draws: Draws, paint: Paint) -> Iterator[str]:
    """The printed lines of one problem and its solutions."""
    # A model, and whoever wrote the dataset, may write any character: also the ones that steer a terminal.
    rows, draws = _visible(list(rows)), {place: _visible(list(drawn)) for place, drawn in draws.items()}
    first = rows[0]
    yield paint(f"{problem_of(first['id'])} · {first['source']}", _BOLD)
    yield from _wrap("question  ", first["question"])
    yield from _wrap("answer    ", first["answer"])
    yield f"images    {', '.join(_image_text(image['bytes']) for image in first['images']) or 'none'}"
    for row in rows:
        yield ""
        yield from _solution_lines(row, draws, paint)


def score_bar(score: float | None, paint: Paint, cells: int = BAR) -> str:
    """A bar as long as the score in [0, 1]; any score above 0 shows. Dots where nothing was measured."""
    if score is None:
        return paint("·" * cells, _DIM)
    full = max(round(score * cells), int(score > 0))
    colour = _RED if score == 0 else _GREEN if score >= 0.5 else _YELLOW
    return paint("█" * full + "░" * (cells - full), colour)


def _solution_lines(row: Row, draws: Draws, paint: Paint) -> Iterator[str]:
    name = paint(row["id"].removeprefix(f"{problem_of(row['id'])}/"), _BOLD)
    word, code = _WORDS[row["response_correct"]]
    answer = row["response_answer"] or "–"
    yield f"{name} · {paint(word, code)} · answer {answer} · {row['policy_model']}"
    for index, step in enumerate(row["steps_with_score"]):
        yield f"  {index + 1:>2}  {_score_text(step, paint)}"
        yield from _wrap(" " * 6, step["step"].strip())
        for draw in draws.get((row["id"], index), ()):
            yield from _draw_lines(draw, paint)


def _score_text(step: Row, paint: Paint) -> str:
    score, label = step["score"], step["label"]
    counts = "–" if score is None else f"{step['num_mc_correct']}/{step['num_mc_total']}"
    number = "–" if score is None else f"{score:.2f}"
    sign = paint(label, _GREEN if label == "+" else _RED) if label else "–"
    return f"{score_bar(score, paint)}  {number:>4}  {counts:>5}  {sign}  {step['origin']}"


def _draw_lines(draw: Row, paint: Paint) -> Iterator[str]:
    verdict = draw["verdict"]
    status = paint(f"{verdict['status']:<9}", _COLOURS.get(verdict["status"], _YELLOW))
    text = textwrap.shorten(draw["text"], WIDTH - 30, placeholder=" …")
    yield f"        {status}  {verdict['answer'] or '–':>8}  {paint(text, _DIM)}"


def _wrap(head: str, text: str) -> Iterator[str]:
    """The text with `head` before its first line and as much space before the others."""
    for index, paragraph in enumerate(text.splitlines() or [""]):
        start = " " * len(head) if index else head
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent=start, subsequent_indent=" " * len(head)) or [
            start.rstrip()
        ]


def _image_text(data: bytes) -> str:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return f"{image.width}×{image.height} {image.format}"


def _visible(value: Any) -> Any:
    """A value of Parquet with every text in it as a terminal may show it."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return list(map(_visible, value))
    return {key: _visible(each) for key, each in value.items()} if isinstance(value, dict) else value
