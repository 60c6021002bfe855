"""`visualprm import`: a released corpus becomes a published dataset, a problem's solutions side by side.

Two passes: the first reads every record, refuses what can't be used and puts the others into buckets by problem;
the second takes the problems in order, reads their images and writes them. Neither holds the corpus in memory.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.fs as pafs
from tqdm import tqdm

from pipeline import atomic
from pipeline.config import PublishConfig
from pipeline.errors import RowError, UserError
from pipeline.markdown import visible
from pipeline.records import Image, Problem, SolutionId
from pipeline.schemas import IMPORTED_SCHEMA
from pipeline.store import one_line_io_errors, open_uri
from pipeline.terminal.speak import say
from stages.exchange.corpus import AnnotationFile, annotation_files, image_place
from stages.exchange.format import ImportOptions, Reader
from stages.exchange.formats import readers
from stages.exchange.import_card import documents
from stages.exchange.names import Layout, detect_layout
from stages.exchange.spool import Buckets
from stages.exchange.values import image_names
from stages.load.sources.files import parse_line
from stages.load.sources.images import read_images
from stages.load.sources.roots import ImageRoot, open_root
from stages.publish.kept import Kept, keep
from stages.publish.shards import LAST, ShardWriter, check_output, write_documents
from stages.publish.stats import Stats, count_steps

POLICY = "imported"
"""Stands in ids where a run has its policy's key."""
_SURROGATE = b"\\ud"
"""How half a character begins in JSON; without it there is none."""
SAMPLE = 20
"""Rows of each file by which its paths are understood."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A record that was read: its columns, what else it holds, its images' names, its source."""

    source: str
    columns: Mapping[str, Any]
    images: tuple[str, ...]
    kept: Kept

    @property
    def problem_id(self) -> str:
        """From the images' names, not their bytes: nothing has been opened yet."""
        return Problem.make_id(self.source, self.columns["question"], self.columns["answer"] or "", self.images)

    def waiting(self, file: int) -> tuple[Any, ...]:
        """The fields of the row as it waits for its problem; `file` is the number of its file."""
        return file, self.kept.row, self.source, self.columns, self.images, self.kept.text()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What `_Row.waiting` says."""

    file: int
    row: int
    source: str
    columns: Mapping[str, Any]
    images: Sequence[str]
    extra: str


@dataclass
class _Refused:
    """What was left out: counted, and all but the single turns also written down, with the reason."""

    path: Path
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, source: str, file: str, row: int, error: RowError) -> None:
        self.counts.setdefault(source, Counter())[error.reason] += 1
        if error.reason == "single_turn":
            return
        entry = {"file": file, "row": row, "reason": error.reason, "detail": error.detail[:500]}
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")


def import_corpus(format: str, path: str, out: str, options: ImportOptions) -> str:
    """Writes the dataset to `out` and gives the table of what is in it.

    Rows that can't be used are left out; `<out>.rejected.jsonl` (beside a local folder) names them.

    Raises:
        UserError: there are no annotations or images, no row could be used, or the disk refuses.
    """
    if options.threshold and not readers()[format].scored:
        raise UserError(f"--threshold {options.threshold:g}: {format} have labels but no scores: leave it out")
    files = annotation_files(path)
    filesystem, out_dir = open_uri(out)
    out_dir = atomic.place(out_dir, filesystem)
    check_output(out_dir, filesystem)
    root = _root(path, options)
    local = isinstance(filesystem, pafs.LocalFileSystem)
    refused = _Refused(Path(f"{out_dir}.rejected.jsonl") if local else Path(f"{Path(out_dir).name}.rejected.jsonl"))
    refused.path.unlink(missing_ok=True)
    stats = Stats()
    with (
        one_line_io_errors(out_dir),
        tempfile.TemporaryDirectory(prefix=".visualprm-", dir=Path(out_dir).parent if local else None) as temporary,
    ):
        buckets = Buckets(Path(temporary))
        layouts = [_read_file(format, index, file, root, options, buckets, refused) for index, file in enumerate(files)]
        _check_layouts(layouts, files)
        with atomic.new_folder(out_dir, filesystem, LAST) as folder:
            with closing(ShardWriter(folder, filesystem, PublishConfig(), IMPORTED_SCHEMA)) as shards:
                for rows in _problems(buckets, files, layouts, root, refused):
                    shards.add(rows)
                    _count(stats, rows)
                stats.shards = shards.finish()
            for source, counts in refused.counts.items():
                for reason, count in counts.items():
                    stats.sources[source][f"quarantined.{reason}"] += count
            if not any(tally.get("solutions") for tally in stats.sources.values()):
                raise UserError(f"{path}: no row could be used{_first_refusal(refused)}")
            how, name = readers()[format], Path(out_dir).name
            texts, table = documents(name, how.released, stats.document(), options.threshold, how.scored)
            write_documents(folder, filesystem, texts, shards.sums)
    return table


def _first_refusal(refused: _Refused) -> str:
    counts = sum(refused.counts.values(), Counter())
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    hint = "; --single-turn takes rows with one label" if "single_turn" in counts else ""
    where = f"; {refused.path} says why for each" if refused.path.exists() else ""
    return f" ({reasons or 'the files are empty'}){hint}{where}; is the format right?"


def _root(path: str, options: ImportOptions) -> ImageRoot | None:
    found = image_place(path, options.images)
    return None if found is None else open_root(found, f"--images {found}")


@dataclass(frozen=True, slots=True)
class _FileLayout:
    """How a file's image paths are read; `example` is one if none of them was found."""

    layout: Layout
    example: str | None = None


def _read_file(
    format: str,
    index: int,
    file: AnnotationFile,
    root: ImageRoot | None,
    options: ImportOptions,
    buckets: Buckets,
    refused: _Refused,
) -> _FileLayout | None:
    """The first pass over one file; null if it has no images."""
    sample: list[str] = []
    source, reader = _source(format, file.name), readers()[format]
    with file.open() as lines:
        for number, line in enumerate(tqdm(lines, desc=visible(file.name), unit=" rows", disable=None, leave=False), 1):
            if not line.strip():
                continue
            try:
                row = _parse(reader, format, file.name, source, number, line, options)
            except RowError as error:
                refused.add(source, file.name, number, error)
                continue
            if len(sample) < SAMPLE:
                sample += row.images
            buckets.add(row.problem_id, row.waiting(index))
    if not sample:
        return None
    if root is None:
        raise UserError(f"{file.name}: rows name images ({sample[0]!r}), but none lie beside it: give --images")
    layout = detect_layout(sample, lambda name: _exists(root, name), options.drop)
    return _FileLayout(layout) if layout else _FileLayout(Layout(options.drop or 0), sample[0])


def _exists(root: ImageRoot, name: str) -> bool:
    try:
        root.read(name)
    except RowError:
        return False
    return True


def _check_layouts(layouts: Sequence[_FileLayout | None], files: Sequence[AnnotationFile]) -> None:
    with_images = [(layout, file) for layout, file in zip(layouts, files, strict=True) if layout]
    missing = [(layout.example, file.name) for layout, file in with_images if layout.example]
    for example, name in missing:
        say(f"{name}: none of its first images is there ({example!r})")
    if missing and len(missing) == len(with_images):
        raise UserError(f"{missing[0][1]}: image {missing[0][0]!r} is not there: correct --images or --drop")


def _parse(
    reader: Reader, format: str, file: str, source: str, number: int, line: bytes, options: ImportOptions
) -> _Row:
    """One line as a row.

    Raises:
        RowError: it can't be used.
    """
    record = parse_line(line, number)
    if isinstance(record, RowError):
        raise record
    if not isinstance(record, dict):
        raise RowError("not_an_object", f"{type(record).__name__}, not a JSON object")
    found = reader.read(record, options)
    images = image_names(record.get("image") if found.images is None else found.images)
    kept = keep(format, file, number, record, found.rendered, found.system)
    row = _Row(source, found.columns, images, kept)
    if _SURROGATE in line.lower() or not file.isascii():
        _check_text(row)
    return row


def _check_text(row: _Row) -> None:
    """JSON can spell halves of characters, which no file can hold."""
    try:
        (row.kept.text() + json.dumps(row.columns, ensure_ascii=False)).encode()
    except UnicodeEncodeError as error:
        raise RowError("not_utf8", f"a text holds {error.object[error.start]!r}") from error


def _problems(
    buckets: Buckets,
    files: Sequence[AnnotationFile],
    layouts: Sequence[_FileLayout | None],
    root: ImageRoot | None,
    refused: _Refused,
) -> Iterator[list[dict[str, Any]]]:
    """The second pass: the published rows of one problem after the other, in order of their ids."""
    for problem_id, entries in itertools.groupby(buckets.sorted(), key=itemgetter(0)):
        rows = [_Waiting(*entry) for _, entry in entries]
        layout = layouts[rows[0].file]
        try:
            images = _images(rows[0], layout.layout if layout else Layout(), root)
        except RowError as error:
            for row in rows:
                refused.add(row.source, files[row.file].name, row.row, error)
            continue
        yield [_published(row, str(SolutionId(problem_id, POLICY, k)), images) for k, row in enumerate(rows)]


def _images(row: _Waiting, layout: Layout, root: ImageRoot | None) -> list[dict[str, Any]]:
    if not row.images:
        return []
    found = map(Image.of, read_images([layout.apply(name) for name in row.images], root))
    return [{"bytes": image.data, "path": image.sha256} for image in found]


def _published(row: _Waiting, solution_id: str, images: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **row.columns,
        "id": solution_id,
        "source": row.source,
        "images": images,
        "response_answer": None,
        "response_correct": None,
        "policy_model": None,
        "prompt_sha": None,
        "extra": row.extra,
    }


def _source(format: str, file: str) -> str:
    """The released files are named after their source."""
    stem = PurePosixPath(file).stem
    return stem.removesuffix(readers()[format].ending) or stem


def _count(stats: Stats, rows: Sequence[Mapping[str, Any]]) -> None:
    tally = stats.sources[rows[0]["source"]]
    tally["problems"] += 1
    for row in rows:
        count_steps(tally, [(step["label"], step["score"], step["origin"]) for step in row["steps_with_score"]])
