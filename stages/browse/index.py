"""The index of a collection: made once in a local cache, a file for every file of rows, and made again where those change."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from pipeline import atomic
from pipeline.store import full, one_line_io_errors
from stages.browse.collection import Collection, Part, Place
from stages.browse.critics import Critic, disagreements
from stages.browse.features import NOTABLE, PART, part_rows

_FORMAT = 1
"""Goes up when the files of an index change their meaning."""
_TEXTS_AT_ONCE = 2048
_TEXT = pa.schema([("text", pa.string())])
Ints = npt.NDArray[np.int64]


@dataclass
class Index:
    """The solutions of a collection, in the order of its files, and their problems, in the order of their first solutions.

    `lengths` has the solutions of each part. `problem` has each solution's problem. What is null in a number column is -1,
    in `lowest` NaN.
    """

    parts: list[Part]
    texts: list[Path]
    table: pa.Table
    lengths: Sequence[int] = ()
    critics: Sequence[Critic] = ()
    numbers: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    problem: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    problem_ids: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def __post_init__(self) -> None:
        for name in (
            "status",
            "contamination",
            "draws",
            "tokens",
            "characters",
            "steps",
            "first_wrong",
            "notable",
            "few",
            "origins",
        ):
            self.numbers[name] = pc.fill_null(self.table[name], -1).to_numpy()
        self.numbers["lowest"] = self.table["lowest"].to_numpy()
        for name in ("source", "policy"):
            coded = pc.fill_null(self.table[name], "").combine_chunks().dictionary_encode()
            self.numbers[name] = coded.indices.to_numpy()
            self.names[name] = coded.dictionary.to_pylist()
        coded = self.table["problem_id"].combine_chunks().dictionary_encode()
        self.problem, self.problem_ids = coded.indices.to_numpy().astype(np.int64), coded.dictionary
        self._add_critics()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def num_problems(self) -> int:
        return len(self.problem_ids)

    @cached_property
    def order(self) -> Ints:
        """Solutions in the order of their problems, a problem's in their own order."""
        return np.argsort(self.problem, kind="stable")

    @cached_property
    def starts(self) -> Ints:
        """Where each problem's solutions begin in `order`; the last entry is their end."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.problem, minlength=self.num_problems))])

    def solutions_of(self, problem: int) -> Ints:
        """The solutions of a problem."""
        return self.order[self.starts[problem] : self.starts[problem + 1]]

    def problem_number(self, problem_id: str) -> int | None:
        """Where a problem stands; None if it is not here."""
        found = pc.index(self.problem_ids, problem_id).as_py()
        return None if found < 0 else int(found)

    def question(self, problem: int) -> str:
        return self._of_first("question", problem)

    def answer(self, problem: int) -> str:
        return self._of_first("answer", problem)

    def place(self, solution: int) -> Place:
        """Where a solution lies."""
        item = self.table["item"][solution].as_py()
        part = int(np.searchsorted(self._part_ends, solution, side="right"))
        group, row = (self.table[name][solution].as_py() for name in ("group", "row"))
        return Place(self.parts[part].path, group, row, -1 if item is None else item)

    def solution_ids(self, solutions: Sequence[int]) -> list[str]:
        found: list[str] = self.table["solution_id"].take(pa.array(solutions, pa.int64())).to_pylist()
        return found

    def text_batches(self) -> Iterator[pa.Array]:
        """The solutions' texts in lower case, in the index's order."""
        for path in self.texts:
            with pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                for number in range(file.num_record_batches):
                    yield file.get_batch(number)["text"]

    @cached_property
    def questions(self) -> pa.Array:
        """Of every problem its question, its answer and its id, in lower case."""
        first = self.table.take(pa.array(self.order[self.starts[:-1]]))
        parts = [pc.fill_null(first[name], "") for name in ("question", "answer", "problem_id")]
        return pc.utf8_lower(pc.binary_join_element_wise(*parts, " ")).combine_chunks()

    def _of_first(self, column: str, problem: int) -> str:
        found = self.table[column][int(self.order[self.starts[problem]])].as_py()
        return found or ""

    @cached_property
    def _part_ends(self) -> Ints:
        return np.cumsum(np.asarray(self.lengths, np.int64))

    def _add_critics(self) -> None:
        differs = np.zeros(len(self), np.int64)
        if self.critics:
            labels = self.table["labels"].combine_chunks()
            offsets = labels.offsets.to_numpy()
            ids = self.table["solution_id"].combine_chunks()
            differs = disagreements(self.critics, ids, offsets, labels.values.to_numpy())
        bit = list(NOTABLE).index("critics-disagree")
        self.numbers["notable"] = self.numbers["notable"].astype(np.int64) | ((differs > 0).astype(np.int64) << bit)
        late = (self.numbers["notable"] >> list(NOTABLE).index("late-mode")) & 1
        self.numbers["suspicion"] = differs + self.numbers["few"] + late


def cache_folder() -> Path:
    """Where indexes are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "visualprm", "browse")


def open_index(
    collection: Collection, stamp: str, critics: Sequence[Critic] = (), tell: Callable[[str], None] | None = None
) -> Index:
    """The index of a collection as its files are now; what is not there yet is made, with a progress bar on a terminal.

    Args:
        stamp: what else the index depends on beside the files.
        tell: is given a line when something has to be made.

    Raises:
        UserError: a file can't be read, or the cache can't be written.
    """
    folder = cache_folder() / hashlib.sha256(full(collection.uri).encode()).hexdigest()[:24]
    parts = collection.parts()
    names = [_name(part, stamp) for part in parts]
    missing = [(part, name) for part, name in zip(parts, names, strict=True) if not (folder / f"{name}.rows").exists()]
    if missing and tell:
        tell(f"{collection.uri}: reading {len(missing):,} of {len(parts):,} files into an index in {folder}")
    with tqdm(total=sum(part.size for part, _ in missing), unit="B", unit_scale=True, file=sys.stderr,
              disable=not missing or not sys.stderr.isatty()) as bar:  # fmt: skip
        for part, name in missing:
            _make(collection, part, folder, name)
            bar.update(part.size)
    _forget(folder, set(names))
    tables = [_read(folder / f"{name}.rows") for name in names]
    table = pa.concat_tables(tables) if tables else PART.empty_table()
    return Index(parts, [folder / f"{name}.texts" for name in names], table, [len(one) for one in tables], critics)


def _make(collection: Collection, part: Part, folder: Path, name: str) -> None:
    """Texts first: the file of rows says that both are there."""
    small: list[pa.Table] = []
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with one_line_io_errors(str(folder)):
        with (
            atomic.new_file(folder / f"{name}.texts") as out,
            pa.ipc.new_file(out, _TEXT, options=options) as texts,
        ):
            for rows in collection.read(part):
                small.append(part_rows(rows))
                lower = pc.utf8_lower(pc.fill_null(rows["text"], ""))
                texts.write_table(pa.table([lower], schema=_TEXT), max_chunksize=_TEXTS_AT_ONCE)
        table = pa.concat_tables(small) if small else PART.empty_table()
        with atomic.new_file(folder / f"{name}.rows") as out, pa.ipc.new_file(out, PART) as writer:
            writer.write_table(table.combine_chunks())


def _read(path: Path) -> pa.Table:
    """Mapped, not read: what is not looked at takes no memory. One chunk a column."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return table.combine_chunks() if table.num_rows else table


def _forget(folder: Path, names: set[str]) -> None:
    """Removes what was made of files as they were before."""
    for path in folder.glob("*.*") if folder.exists() else ():
        if path.stem not in names and path.suffix in (".rows", ".texts"):
            path.unlink(missing_ok=True)


def _name(part: Part, stamp: str) -> str:
    return hashlib.sha256(repr((_FORMAT, stamp, *part)).encode()).hexdigest()[:24]
