"""The run directory, on a local disk or an object store: its layout, its lock, and what of it is complete.

config.yaml            the resolved configuration
ledger.json            what the ledger's content depends on, as flat keys
problems/*.parquet     the problems; complete once problems.json is there
quarantine/*.jsonl     rows that were refused, with id and reason
annotations/*.parquet  the ledger; a file's name ends with its size and SHA-256
checkpoint/            Ray Data's record of the problems that are done
progress/*.json        counters of each engine of the last call
times.json             how long the calls before it took
logs/*.log             what Ray, vLLM and other libraries said
engines/*.json         kind, model and versions of the engines that drew the ledger
attempts/*.json        problems that engines died over since the last call
published.json         what was published last, and a hash of its stats.json
hand_labels.json       what people say of steps, from `visualprm annotate export --run`
reverified/            verdicts given anew by the last `publish`: the ledger without texts, and flips.json
manifest.json          what the files were when they were written (`pipeline/manifest.py`); those of engines are not in it
damaged/               ledger files that were not what was written; their problems were annotated again
driver.lock            held by the one driver
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import posixpath
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline import atomic, manifest
from pipeline.atomic import Sink, Sum
from pipeline.errors import StartError, UserError
from pipeline.lock import Fence, driver_lock, driver_of
from pipeline.records import LEDGER_SCHEMA

LOCK = "driver.lock"
_FILES_AT_ONCE = 256
PENDING_SUFFIX = ".pending.parquet"
UNNOTED = (
    "progress/",
    "times.json",
    "attempts/",
    "engines/",
    "checkpoint/",
    "writable-",
    "driver.lock",
    "hand_labels.json",
)
"""What the manifest leaves out: what others write while the driver does, and what nothing is made from."""
_LEDGER_NAME = re.compile(r"(?P<block>.+)-(?P<bytes>\d+)-(?P<sha256>[0-9a-f]{64})\.parquet")


def open_uri(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system and the path in it.

    Raises:
        UserError: no such scheme, or its options are wrong.
    """
    try:
        if "://" in uri:
            filesystem, path = fs.FileSystem.from_uri(uri)
            return filesystem, path.rstrip("/")
        return fs.LocalFileSystem(), os.path.abspath(uri)
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise UserError(f"{uri}: can't be opened: {error}") from error


def json_text(value: Any) -> str:
    """A value as the run directory's files have it."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def full(uri: str) -> str:
    """The place without regard to the working directory."""
    return uri if "://" in uri else os.path.abspath(uri)


def beside(uri: str, suffix: str) -> str:
    """The address `uri` with `suffix` at the end of its path. Options after `?` stay at the end."""
    place, options = _parts(uri)
    return place.rstrip("/") + suffix + options


def _parts(uri: str) -> tuple[str, str]:
    """The place and, with its `?`, what an address says of its store; in a path `?` is a letter."""
    place, mark, options = uri.partition("?") if "://" in uri else (uri, "", "")
    return place, mark + options


@contextlib.contextmanager
def one_line_io_errors(place: str) -> Iterator[None]:
    """Turns what the disk or the object store refuses into one line that names the place, or the file elsewhere.

    Raises:
        UserError: no space, no right, no such bucket.
        StartError: the store does not answer.
    """
    try:
        yield
    except UserError as caught:
        # What a Ray worker said arrives with its traceback in the text.
        said = getattr(caught, "cause", None)
        if isinstance(said, UserError):
            raise said from caught
        raise
    except OSError as caught:
        # What a Ray worker met arrives wrapped, as the cause.
        cause = getattr(caught, "cause", None)
        refusal = cause if isinstance(cause, OSError) else caught
        where, mend = _refused(refusal, place)
        if isinstance(refusal, PermissionError):
            raise UserError(f"{where}: not writable: give this user the right to write there, or {mend}") from caught
        if refusal.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{where}: no space left on the device: free some, then run the same command again"
            ) from caught
        if (said := store_refusal(refusal)) is not None:
            raise type(said)(f"{place}: {said}") from caught
        if refusal.errno in (errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
            raise UserError(f"{where}: not writable ({os.strerror(refusal.errno)}): {mend}") from caught
        if refusal.errno == errno.EIO:
            raise UserError(
                f"{where}: the disk failed ({os.strerror(refusal.errno)}): look at it (`dmesg`), then run the same "
                "command again, or name another folder"
            ) from caught
        raise caught


def store_refusal(error: OSError) -> UserError | StartError | None:
    """What an object store refused, or that it does not answer, as one line; None for an error of anything else."""
    if error.errno is not None or not re.search("AWS Error|Bucket .* not found", str(error)):
        return None
    kind = StartError if _UNANSWERED.search(str(error)) else UserError
    return kind(f"the object store refused: {' '.join(str(error).split())[:300]}")


_UNANSWERED = re.compile("NETWORK_CONNECTION|REQUEST_TIMEOUT|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING|INTERNAL_FAILURE")
"""In what Arrow says of a store that another try may find well."""


def _refused(refusal: OSError, place: str) -> tuple[str, str]:
    """What could not be written, and what to name instead: the place, unless a library's file lies elsewhere."""
    file, home = refusal.filename, os.path.expanduser("~")
    if not isinstance(file, str) or not os.path.isabs(file) or _within(file, full(place)):
        return place, "name another folder"
    if _within(file, home):
        return file, f"set HOME, which is {home}, to a folder that can be written"
    return file, "see to it that it can be written"


def _within(file: str, folder: str) -> bool:
    return file == folder or file.startswith(folder.rstrip("/") + "/")


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
        place, options = _parts(self.uri)
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
        committed = {_commit_of(path) for path in self.checkpoint_files()}
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


def columns(filesystem: fs.FileSystem, files: Sequence[str], names: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of many small Parquet files, some of which are joined into one table each.

    One file after the other, not as a dataset: that keeps every file's footer, 150 kB of each ledger file. And a small
    table takes ten times as much memory as what it holds.
    """

    def read(path: str) -> pa.Table:
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            return file.read(columns=names, use_threads=False)

    # Threads hide the latency of a store; on a disk they would only cost memory.
    with ThreadPoolExecutor(1 if isinstance(filesystem, fs.LocalFileSystem) else 16) as pool:
        for start in range(0, len(files), _FILES_AT_ONCE):
            yield pa.concat_tables(pool.map(read, files[start : start + _FILES_AT_ONCE])).combine_chunks()


def _commit_of(path: str) -> str:
    """The block that a checkpoint file stands for."""
    return posixpath.basename(path).removesuffix(".parquet")


def block_of(path: str) -> str:
    """The block that a ledger file holds; its name is the checkpoint's, and its sum or (before there were sums) a number."""
    name = posixpath.basename(path)
    if named := _LEDGER_NAME.fullmatch(name):
        return named["block"]
    return name.rpartition("-")[0] or name.removesuffix(".parquet")


def named_sum(path: str) -> Sum | None:
    """The sum in a ledger file's name; null for one that was written before names had it."""
    named = _LEDGER_NAME.fullmatch(posixpath.basename(path))
    return Sum(int(named["bytes"]), named["sha256"]) if named else None
