"""One run directory: its files and their sums, its lock, and what of it is complete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline import atomic, manifest
from pipeline.atomic import Sink, Sum
from pipeline.errors import UserError
from pipeline.lock import Fence, driver_lock, driver_of
from pipeline.schemas import LEDGER_SCHEMA
from pipeline.store.ledger_files import PENDING_SUFFIX, block_of, columns, commit_of
from pipeline.store.places import open_uri, split_options
from pipeline.store.refusals import one_line_io_errors

LOCK = "driver.lock"
UNNOTED = (
    "progress/",
    "times.json",
    "attempts/",
    "engines/",
    "nodes/",
    "nodes-plan-",
    "checkpoint/",
    "writable-",
    "driver.lock",
    "hand_labels.json",
)
"""What the manifest leaves out: what others write while the driver does, and what nothing is made from."""


def json_text(value: Any) -> str:
    """A value as the run directory's files have it."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


class Store:
    """One run directory."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.filesystem, self.root = open_uri(uri)
        self.fence: Fence | None = None
        """While this store's lock is held: what tells whether it still is; None where it can't be lost."""

    @property
    def local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        return posixpath.join(self.root, *parts)

    def address(self, *parts: str) -> str:
        """The path as other processes must be given it, with the scheme."""
        if self.local:
            return self.path(*parts)
        place, options = split_options(self.uri)
        return posixpath.join(place, *parts) + options

    def exists(self, *parts: str) -> bool:
        return self.filesystem.get_file_info(self.path(*parts)).type != fs.FileType.NotFound

    def make(self) -> None:
        """Creates the directory and makes sure that it can be written.

        Raises:
            UserError: it can't.
        """
        with one_line_io_errors(self.uri):
            self.filesystem.create_dir(self.root, recursive=True)
            probe = f"writable-{uuid.uuid4().hex[:8]}"
            self.write_text(probe, "")
            self.filesystem.delete_file(self.path(probe))

    def read_text(self, *parts: str) -> str:
        with self.filesystem.open_input_stream(self.path(*parts)) as stream:
            return str(stream.read().decode())

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[Sink]:
        """A file to write bytes to. A reader sees the old one or the new one, never a part.

        The manifest has its sum, unless an engine may write it (`UNNOTED`): there is one driver, but many engines.
        """
        with one_line_io_errors(self.address(name)):
            if name.startswith(UNNOTED):
                with atomic.new_file(self.path(name), self.filesystem) as out:
                    yield out
                    self.check_lock()
                return
            old = self.sums().get(name, ())[:1]

            def note_both(new: Sum) -> None:
                # Should the power go before the new file is in its place, the old one is no damage.
                if old:
                    self._note({name: (new, *old)})

            with atomic.new_file(self.path(name), self.filesystem, note_both) as out:
                yield out
                self.check_lock()
            self._note({name: (out.sum,)})

    def sums(self) -> dict[str, tuple[Sum, ...]]:
        """What the manifest says; nothing where there is none.

        Raises:
            UserError: it is damaged.
        """
        try:
            return manifest.load(self.root, self.filesystem) or {}
        except manifest.Damaged as error:
            raise UserError(
                f"{self.uri}: {error}: remove this file, and the others are read in full once for a new one"
            ) from error

    def note(self, sums: manifest.Sums) -> None:
        """Adds to the manifest, or replaces there, what was not written by `new_file`."""
        self._note(sums)

    def forget(self, *names: str) -> None:
        """Takes files, or by a `/` at the end folders, out of the manifest: before they go."""
        sums = self.sums()
        folders = tuple(name for name in names if name.endswith("/"))
        kept = {name: held for name, held in sums.items() if name not in names and not name.startswith(folders)}
        if len(kept) < len(sums):
            manifest.save(self.root, kept, self.filesystem)

    def _note(self, sums: manifest.Sums) -> None:
        manifest.save(self.root, {**self.sums(), **sums}, self.filesystem)

    def write_text(self, name: str, text: str) -> None:
        with self.new_file(name) as out:
            out.write(text.encode())

    def read_json(self, *parts: str) -> Any:
        return json.loads(self.read_text(*parts))

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json_text(value))

    def write_jsonl(self, name: str, rows: Iterable[Any]) -> None:
        self.write_text(name, "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows))

    def files(self, folder: str, suffix: str) -> list[str]:
        selector = fs.FileSelector(self.path(folder), allow_not_found=True, recursive=True)
        infos = self.filesystem.get_file_info(selector)
        return sorted(info.path for info in infos if info.type == fs.FileType.File and info.path.endswith(suffix))

    def clear(self, folder: str) -> None:
        if self.exists(folder):
            with one_line_io_errors(self.address(folder)):
                self.forget(f"{folder}/")
                self.filesystem.delete_dir(self.path(folder))

    def remove(self, name: str) -> None:
        """Removes a file, and first its entry in the manifest."""
        with one_line_io_errors(self.address(name)):
            self.forget(name)
            self.filesystem.delete_file(self.path(name))

    def problem_files(self) -> list[str]:
        return self.files("problems", ".parquet")

    def checkpoint_files(self) -> list[str]:
        return [path for path in self.files("checkpoint", ".parquet") if not path.endswith(PENDING_SUFFIX)]

    def ledger_files(self) -> list[str]:
        """The data files whose checkpoint is committed."""
        committed = {commit_of(path) for path in self.checkpoint_files()}
        return [path for path in self.files("annotations", ".parquet") if block_of(path) in committed]

    def add_block(self, block: str, rows: pa.Table) -> None:
        """Writes a file of the ledger; it counts once its block is committed.

        Its name holds its sum: whoever reads it can compare, and many engines need no manifest that they share.
        """
        whole = pa.BufferOutputStream()
        pq.write_table(rows, whole)
        content = whole.getvalue()
        name = f"{block}-{content.size}-{hashlib.sha256(content).hexdigest()}.parquet"
        atomic.write(self.path("annotations", name), content, self.filesystem)

    def commit_path(self, block: str) -> str:
        """The checkpoint file that says that a block counts."""
        return self.path("checkpoint", f"{block}.parquet")

    @contextlib.contextmanager
    def new_commit(self, block: str) -> Iterator[Sink]:
        """The file of `commit_path`, as a whole."""
        with self.new_file(f"checkpoint/{block}.parquet") as out:
            yield out

    def withdraw(self, block: str) -> None:
        """Makes a block's problems pending again. What lies there of it goes to `damaged/`, where nothing looks for it."""
        commit = self.commit_path(block)
        with one_line_io_errors(commit):
            # First of all: a reader that comes now finds neither.
            if self.filesystem.get_file_info(commit).is_file:
                self.filesystem.delete_file(commit)
            for path in self.files("annotations", ".parquet"):
                if block_of(path) == block:
                    name = posixpath.basename(path)
                    self.forget(f"annotations/{name}")
                    self.filesystem.create_dir(self.path("damaged"), recursive=True)
                    self.filesystem.move(path, self.path("damaged", name))

    def column(self, files: Sequence[str], name: str) -> pa.ChunkedArray:
        chunks = [chunk for table in columns(self.filesystem, files, [name]) for chunk in table[name].chunks]
        return pa.chunked_array(chunks, None if chunks else pa.string())

    def ids(self, files: Sequence[str]) -> set[str]:
        """The problems that some problem or checkpoint files name."""
        return set(self.column(files, "problem_id").to_pylist())

    def problem_ids(self) -> set[str]:
        return self.ids(self.problem_files())

    def done_ids(self) -> set[str]:
        return self.ids(self.checkpoint_files())

    def ledger(self, *names: str) -> pa.Table:
        """Columns of the committed ledger, a row a problem, in any order.

        A block that was committed twice around a crash holds the same rows again: the first counts.
        """
        files = self.ledger_files()
        if not files:
            return LEDGER_SCHEMA.empty_table().select(names)
        rows = pa.concat_tables(columns(self.filesystem, files, ["problem_id", *names])).combine_chunks()
        numbered = rows.select(["problem_id"]).append_column("row", pa.array(np.arange(len(rows))))
        first = numbered.group_by("problem_id").aggregate([("row", "min")])
        return rows.take(first["row_min"]).select(names)

    def total(self, name: str) -> int:
        """The sum of a number column over the problems of the committed ledger."""
        return pc.sum(self.ledger(name)[name]).as_py() or 0

    def progress(self) -> list[dict[str, Any]]:
        """What each engine wrote last."""
        return [self.read_json("progress", posixpath.basename(path)) for path in self.files("progress", ".json")]

    def lost_engines(self) -> dict[str, int]:
        """problem_id → how many engines died while they worked on it; only problems over which one did."""
        names = map(posixpath.basename, self.files("attempts", ".json"))
        return {name.removesuffix(".json"): int(self.read_json("attempts", name)["engines_lost"]) for name in names}

    def note_lost_engine(self, problem_ids: Iterable[str]) -> None:
        """One more engine died, while it worked on these problems."""
        before = self.lost_engines()
        for problem_id in sorted(problem_ids):
            self.write_json(f"attempts/{problem_id}.json", {"engines_lost": before.get(problem_id, 0) + 1})

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second driver out.

        Raises:
            UserError: another driver works here, or has taken a lock that lapsed.
        """
        with contextlib.ExitStack() as stack:
            with one_line_io_errors(self.uri):
                self.fence = stack.enter_context(driver_lock(self.uri, self.filesystem, self.path(LOCK)))
            try:
                yield
            finally:
                self.fence = None

    def driver(self) -> str | None:
        """Who holds the lock, if anybody does."""
        return driver_of(self.uri, self.filesystem, self.path(LOCK))

    def check_lock(self) -> None:
        """Before a commit: on an object store another driver may have taken the lock, where this one holds one.

        Raises:
            LockLost: it has.
            UserError: the store doesn't say.
        """
        if self.fence:
            self.fence.check()
