"""Where the sources' files lie: relative paths below one folder, environment variables filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from stages.load.sources.data_files import is_pattern, is_there

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def locate(sources: Sequence[SourceConfig], data_root: str | None) -> list[SourceConfig]:
    """The sources with the paths of their files as they can be opened.

    Raises:
        UserError: a variable is not set, `data_root` is no folder, or a source's file is not there; told before
            any source is read, since reading them all takes hours.
    """
    root = _folder(data_root)
    located = [_located(source, root) for source in sources]
    missing = [(source.name, *place) for source in located for place in _files(source) if not is_there(place[1])]
    if missing:
        count = len({name for name, *_ in missing})
        more = f" ({count} of {len(located)} sources' files are missing)" if count > 1 else ""
        name, key, path = missing[0]
        fault = "no file fits this pattern" if is_pattern(path) else "no such file"
        raise UserError(f"source {name!r}, {key} {path}: {fault}; correct the path{more}")
    return located


def _files(source: SourceConfig) -> list[tuple[str, str]]:
    """Key and path of the files of rows that a source names."""
    joined = [(f"join.{name}.path", join.path) for name, join in (source.join or {}).items()]
    return [("path", source.path), *joined] if source.path is not None else joined


def _folder(data_root: str | None) -> Path:
    if data_root is None:
        return Path()
    folder = Path(_filled(data_root, "data_root"))
    if not folder.is_dir():
        raise UserError(f"data_root: {folder} is no folder: name the one that holds the sources' files")
    return folder


def _located(source: SourceConfig, root: Path) -> SourceConfig:
    paths = {"path": source.path, "images": source.images}
    where = f"source {source.name!r}, "
    update: dict[str, Any] = {
        key: str(root / _filled(path, where + key)) for key, path in paths.items() if path is not None
    }
    if source.join is not None:
        update["join"] = {
            name: join.model_copy(update={"path": str(root / _filled(join.path, f"{where}join.{name}.path"))})
            for name, join in source.join.items()
        }
    return source.model_copy(update=update)


def _filled(path: str, where: str) -> str:
    for plain, braced in _VARIABLE.findall(path):
        if (plain or braced) not in os.environ:
            name = plain or braced
            raise UserError(f"{where}: ${name} is not set: `export {name}=…`, or write the folder itself")
    return os.path.expandvars(path)
