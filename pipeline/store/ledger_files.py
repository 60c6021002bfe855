"""The ledger's files and their checkpoints: what their names say, and how columns of many are read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline.atomic import Sum

PENDING_SUFFIX = ".pending.parquet"
_FILES_AT_ONCE = 256
_LEDGER_NAME = re.compile(r"(?P<block>.+)-(?P<bytes>\d+)-(?P<sha256>[0-9a-f]{64})\.parquet")


def columns(filesystem: fs.FileSystem, files: Sequence[str], names: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of many small Parquet files, some of which are joined into one table each.

    One file after the other, not as a dataset: that keeps every file's footer, 150 kB of each ledger file. And a small
    table takes ten times as much memory as what it holds.
    """

    def read(path: str) -> pa.Table:
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            return file.read(columns=names, use_threads=False)

    with map_over(filesystem, 16) as look:
        for start in range(0, len(files), _FILES_AT_ONCE):
            yield pa.concat_tables(look(read, files[start : start + _FILES_AT_ONCE])).combine_chunks()


@contextmanager
def map_over(filesystem: fs.FileSystem, at_once: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map`, over many files: by so many threads where they hide a store's latency.

    On a disk by none, not even by one of a pool: of what each footer took there, the C library gives nothing back to others, and
    5,000 files held half a gigabyte.
    """
    if isinstance(filesystem, fs.LocalFileSystem):
        yield map
        return
    with ThreadPoolExecutor(at_once) as pool:
        yield pool.map


def commit_of(path: str) -> str:
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
