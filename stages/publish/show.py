"""`visualprm show`: a problem of a published dataset in the terminal, its steps with scores as bars."""

from __future__ import annotations

import io
import os
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import PIL.Image
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.markdown import visible
from pipeline.records import problem_of
from pipeline.store import Store
from stages.annotate.damage import damage_named
from stages.publish.pick import LABELS, Wanted, first_two, problems

WIDTH = 100
"""Columns that text is wrapped to."""
BAR = 10
"""Cells of a score bar."""
NOT_RECORDED = "–"
"""What a released corpus doesn't say."""

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


def show(dataset: str, wanted: Wanted, draws: str | None = None) -> None:
    """Prints the first problem of the dataset in folder `dataset` that fits, and the command that shows the next.

    `draws` is a run directory, whose ledger holds the continuations.

    Raises:
        UserError: no dataset is there, nothing fits, or the run doesn't know the problem.
    """
    place, following = first_two(dataset, wanted)
    rows = place.read()
    found = find_draws(draws, rows) if draws else {}
    paint = Paint.for_stream(sys.stdout)
    for line in problem_lines(rows, found, paint):
        print(line)
    if following is not None:
        options = {"--id": following, "--source": wanted.source, "--label": wanted.label, "--draws": draws}
        words = [word for option, value in options.items() if value for word in (option, value)]
        print(paint(f"\nnext: {visible(shlex.join(['visualprm', 'show', dataset, *words]))}", _DIM))


def list_problems(dataset: str, wanted: Wanted) -> None:
    """Prints a line for each problem that fits: id, source, right solutions, labels of all steps, question.

    Raises:
        UserError: no dataset is there, or nothing fits.
    """
    first_two(dataset, wanted)
    paint = Paint.for_stream(sys.stdout)
    columns = ("question", "response_correct")
    for place, rows in problems(dataset, wanted, columns):
        labels = Counter(step["label"] for row in rows for step in row["steps_with_score"])
        judged = [row["response_correct"] for row in rows if row["response_correct"] is not None]
        right = f"{sum(judged)}/{len(judged)} right" if judged else _WORDS[None][0]
        signs = ", ".join(f"{labels[label]} {name}" for name, label in LABELS.items() if labels[label])
        question = textwrap.shorten(visible(rows[0]["question"] or ""), WIDTH, placeholder=" …")
        head = f"{paint(visible(place.problem), _BOLD)}  {visible(rows[0]['source'])}  {right:>10}  {signs:<16}"
        print(f"{head}  {paint(question, _DIM)}")


def find_draws(run: str, rows: Sequence[Row]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The ledger's draws at every step of the rows' problem.

    Raises:
        UserError: the run directory's ledger doesn't hold the problem.
    """
    store, problem = Store(run), problem_of(rows[0]["id"])
    with damage_named(store):
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
    yield from _wrap("answer    ", first["answer"] or NOT_RECORDED)
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
    answer, policy = row["response_answer"] or NOT_RECORDED, row["policy_model"] or "policy not recorded"
    yield f"{name} · {paint(word, code)} · answer {answer} · {policy}"
    for index, step in enumerate(row["steps_with_score"]):
        yield f"  {index + 1:>2}  {_score_text(step, paint)}"
        yield from _wrap(" " * 6, step["step"].strip())
        for draw in draws.get((row["id"], index), ()):
            yield from _draw_lines(draw, paint)


def _score_text(step: Row, paint: Paint) -> str:
    score, label = step["score"], step["label"]
    counts = NOT_RECORDED if step["num_mc_total"] is None else f"{step['num_mc_correct']}/{step['num_mc_total']}"
    number = NOT_RECORDED if score is None else f"{score:.2f}"
    sign = paint(label, _GREEN if label == "+" else _RED) if label else NOT_RECORDED
    return f"{score_bar(score, paint)}  {number:>4}  {counts:>5}  {sign}  {step['origin'] or NOT_RECORDED}"


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
