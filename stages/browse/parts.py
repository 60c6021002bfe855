"""Files of rows as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from pyarrow import fs

from pipeline.errors import UserError
from stages.browse.collection import Part


def part_of(info: fs.FileInfo) -> Part:
    """A listed file."""
    return Part(info.path, int(info.size or 0), int(info.mtime_ns or 0))


def parts_of(filesystem: fs.FileSystem, paths: Sequence[str]) -> list[Part]:
    """The files with these paths; those that are gone are left out."""
    infos = filesystem.get_file_info(list(paths)) if paths else []
    return [part_of(info) for info in infos if info.type == fs.FileType.File]


def no_such(uri: str, what: str) -> UserError:
    """The refusal of a place that holds nothing to show."""
    return UserError(
        f"{uri}: {what}: name a published dataset, a run, a pool, a bench, or a file of scores (scores.jsonl)"
    )
