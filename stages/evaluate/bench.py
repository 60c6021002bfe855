"""Reads benches of labelled steps in the layouts in which they are released.

VisualProcessBench (arXiv 2503.10291, section 3.3): `test.jsonl` beside a folder `images` or `images.zip`; a row has
`response.steps` and, for each, `response.process_correctness`: 1 right, -1 wrong, 0 neutral. Neutral steps are shown to
the critic and left out of every number.

ProcessBench (arXiv 2412.06559): `gsm8k.json`, `math.json`, … with `problem`, `steps` and `label`, the index of the first
wrong step or -1. Steps after it have no label.

The list of steps is handed on as it is: blank lines inside a step do no harm.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import RowError, UserError
from pipeline.records import IMAGE, Rejected
from stages.evaluate.critic import Item

ROW_FILES = (".jsonl", ".json")


@dataclass(frozen=True, slots=True)
class BenchSample:
    """One labelled solution. `labels`: 1 right, -1 wrong, 0 without a label. `images` are names in the bench."""

    sample_id: str
    source: str
    policy: str
    question: str
    images: tuple[str, ...]
    steps: tuple[str, ...]
    labels: tuple[int, ...]

    @property
    def problem(self) -> str:
        """What solutions of one problem have in common: the question and its images' names."""
        return "\n".join([self.question, *self.images])


@dataclass(frozen=True)
class Bench:
    """The samples, the rows that can't be used, and where the images are."""

    path: Path
    samples: list[BenchSample]
    rejected: list[Rejected]
    images: Images

    def item(self, sample: BenchSample) -> Item:
        """What a critic sees of a sample; its images as they are stored.

        Raises:
            RowError: an image can't be read.
        """
        images = tuple(self.images.read(name) for name in sample.images)
        question = sample.question
        if question.count(IMAGE) not in (0, len(images)):
            # Placeholders that don't match the images would make every critic refuse the row.
            question = question.replace(IMAGE, "")
        return Item(question, images, sample.steps)


@dataclass
class Images:
    """Files of a folder and members of the zip files in it, found by the names that rows use."""

    folder: Path
    archives: list[zipfile.ZipFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path in sorted(self.folder.glob("*.zip")):
            try:
                self.archives.append(zipfile.ZipFile(path))
            except (OSError, zipfile.BadZipFile) as error:
                raise UserError(f"{path}: not a readable zip file ({error}): copy it again") from error
        self._members: dict[str, tuple[zipfile.ZipFile, str]] = {}
        short: dict[str, list[tuple[zipfile.ZipFile, str]]] = defaultdict(list)
        for archive in self.archives:
            for member in archive.namelist():
                if not member.endswith("/") and not member.startswith("__MACOSX/"):
                    self._members.setdefault(member, (archive, member))
                    short[member.partition("/")[2] or member].append((archive, member))
        # Rows may name the archive as a folder, or leave out the one that it holds, unless two folders have other images
        # of one name.
        for archive in self.archives:
            for member in archive.namelist():
                self._members.setdefault(f"{Path(str(archive.filename)).stem}/{member}", (archive, member))
        for name, held in short.items():
            if len({archive.getinfo(member).CRC for archive, member in held}) == 1:
                self._members.setdefault(name, held[0])

    def holds(self, name: str) -> bool:
        return self._file(name) is not None or self._member(name) is not None

    def read(self, name: str) -> bytes:
        """The file's bytes.

        Raises:
            RowError: there is none, or it can't be read.
        """
        try:
            if file := self._file(name):
                return file.read_bytes()
            if member := self._member(name):
                return member[0].read(member[1])
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            # The last two are of a method of compression, and of an encryption, that Python doesn't know.
            raise RowError("image_unreadable", f"{name}: {error}") from error
        raise RowError("image_missing", name)

    def _file(self, name: str) -> Path | None:
        # Links may lead out of the folder, as those of a hub's cache do; names may not.
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return None
        return next((place for place in (self.folder / name, self.folder / "images" / name) if place.is_file()), None)

    def _member(self, name: str) -> tuple[zipfile.ZipFile, str] | None:
        name = name.removeprefix("./")
        return self._members.get(name) or self._members.get(name.removeprefix("images/"))


def read_bench(path: str | Path) -> Bench:
    """A bench's folder, or one of its files of rows.

    Raises:
        UserError: there are no rows that can be used.
    """
    place = Path(path)
    if place.is_dir():
        files = sorted(file for suffix in ROW_FILES for file in place.glob(f"*{suffix}"))
        # Our own folders hold files of scores too.
        files = [file for file in files if file.name == "test.jsonl"] or files
    else:
        files = [place]
    if not files or not files[0].is_file():
        raise UserError(
            f"{path}: no bench there: give a folder with test.jsonl (or ProcessBench's .json files), or a file"
        )
    images = Images(files[0].parent)
    samples: list[BenchSample] = []
    rejected: list[Rejected] = []
    seen: Counter[str] = Counter()
    for file in files:
        for number, row in enumerate(_rows(file), 1):
            try:
                sample = _sample(row, file.stem, images)
            except RowError as error:
                rejected.append(Rejected(file.stem, f"row {number}", error.reason, error.detail))
                continue
            seen[sample.sample_id] += 1
            if seen[sample.sample_id] > 1:
                rejected.append(Rejected(file.stem, f"row {number}", "duplicate", f"of sample {sample.sample_id}"))
                continue
            samples.append(sample)
    if not samples:
        first = f"; the first: {rejected[0].reason}, {rejected[0].detail}" if rejected else ""
        raise UserError(
            f"{path}: none of {len(rejected)} rows can be used{first}: see docs/evaluation.md for the layouts"
        )
    return Bench(place, samples, rejected, images)


def _rows(file: Path) -> Iterator[Any]:
    """JSON lines, or one JSON array; a line that is no JSON is yielded as an error to count."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: can't be read: {error}") from error
    if text.lstrip().startswith("["):
        try:
            yield from json.loads(text)
            return
        except json.JSONDecodeError as error:
            raise UserError(f"{file}: not valid JSON at line {error.lineno}: {error.msg}") from error
    # Not splitlines(): texts may hold other line separators, which JSON doesn't escape.
    for line in text.split("\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                yield RowError("not_json", str(error))


def _sample(row: Any, file: str, images: Images) -> BenchSample:
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, Mapping):
        raise RowError("not_an_object", str(row)[:60])
    response = row.get("response")
    if isinstance(response, Mapping):
        return _visual(row, response, images)
    if "steps" in row and "label" in row:
        return _text(row, file)
    raise RowError("unknown_layout", f"keys {', '.join(sorted(row))}")


def _visual(row: Mapping[str, Any], response: Mapping[str, Any], images: Images) -> BenchSample:
    steps, labels = _texts(response.get("steps")), response.get("process_correctness")
    if not isinstance(labels, list) or len(labels) != len(steps):
        raise RowError("labels_do_not_match", f"{len(steps)} steps")
    if strange := [label for label in labels if isinstance(label, bool) or label not in (1, 0, -1)]:
        raise RowError("unknown_label", f"{strange[0]!r}: give 1, 0 or -1")
    given = row.get("image") or []
    if not isinstance(given, (str, list)):
        raise RowError("image_missing", f"image must be a path or a list of paths, not {type(given).__name__}")
    names = tuple([given] if isinstance(given, str) else given)
    if missing := [name for name in names if not isinstance(name, str) or not images.holds(name)]:
        raise RowError("image_missing", str(missing[0]))
    question = _text_of(row, "question")
    source, policy = str(row.get("data_source") or "all"), str(row.get("policy_model") or "unknown")
    sample_id = str(row.get("id") or _hash(source, policy, question, names, steps))
    return BenchSample(sample_id, source, policy, question, names, steps, tuple(labels))


def _text(row: Mapping[str, Any], source: str) -> BenchSample:
    steps, label = _texts(row["steps"]), row["label"]
    if isinstance(label, bool) or not isinstance(label, int) or not -1 <= label < len(steps):
        raise RowError("unknown_label", f"{label!r}: give -1 or the index of a step, below {len(steps)}")
    first = len(steps) if label == -1 else label
    labels = tuple(1 if index < first else -1 if index == first else 0 for index in range(len(steps)))
    question, policy = _text_of(row, "problem"), str(row.get("generator") or "unknown")
    sample_id = str(row.get("id") or _hash(source, policy, question, (), steps))
    return BenchSample(sample_id, source, policy, question, (), steps, labels)


def _texts(steps: Any) -> tuple[str, ...]:
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise RowError("no_steps", "steps must be a list of texts")
    return tuple(steps)


def _text_of(row: Mapping[str, Any], key: str) -> str:
    if not isinstance(row.get(key), str):
        raise RowError("no_question", f"{key} must be a text")
    return str(row[key])


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]
