"""Where the sources' files lie: environment variables filled in, then below `data_root` or where any input may lie."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from pipeline.inputs import located, searched
from stages.load.sources.data_files import is_pattern, is_there

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def locate(sources: Sequence[SourceConfig], data_root: str | None) -> list[SourceConfig]:
    """The sources with the paths of their files as they can be opened.

    Raises:
        UserError: a variable is not set, `data_root` is no folder, or a source's file is not there; told before
            any source is read, since reading them all takes hours.
    """
    found = [_located(source, data_root) for source in sources]
    missing = [(source, *place) for source in found for place in _files(source) if not is_there(place[1])]
    if missing:
        count = len({source.name for source, *_ in missing})
        more = f" ({count} of {len(found)} sources' files are missing)" if count > 1 else ""
        source, key, path = missing[0]
        fault = "no file matches this pattern" if is_pattern(path) else "no such file"
        places = searched(path, source.folders)
        raise UserError(f"source {source.name!r}, {key} {path}: {fault}{places}; correct the path{more}")
    return found


def _files(source: SourceConfig) -> list[tuple[str, str]]:
    """Key and path of the files of rows that a source names."""
    joined = [(f"join.{name}.path", join.path) for name, join in (source.join or {}).items()]
    return [("path", source.path), *joined] if source.path is not None else joined


def _located(source: SourceConfig, data_root: str | None) -> SourceConfig:
    root = None if data_root is None else _root(data_root, source.folders)

    def place(path: str, key: str) -> str:
        filled = _filled(path, f"source {source.name!r}, {key}")
        return _beside(filled, source.folders) if root is None else str(root / filled)

    paths = {"path": source.path, "images": source.images}
    update: dict[str, Any] = {key: place(path, key) for key, path in paths.items() if path is not None}
    if source.join is not None:
        update["join"] = {
            name: join.model_copy(update={"path": place(join.path, f"join.{name}.path")})
            for name, join in source.join.items()
        }
    if source.dataset is not None:
        update["dataset"] = located(source.dataset, source.folders)
    return source.model_copy(update=update)


def _beside(path: str, folders: Sequence[Path]) -> str:
    """The path or pattern where something is: where the command runs, beside the config, in the package."""
    if not is_pattern(path):
        return located(path, folders)
    places = (path, *(str(folder / path) for folder in folders))
    return next(filter(is_there, places), path)


def _root(data_root: str, folders: Sequence[Path]) -> Path:
    folder = located(_filled(data_root, "data_root"), folders)
    if not Path(folder).is_dir():
        places = searched(folder, folders)
        raise UserError(f"data_root: {folder} is not a folder{places}: name the one that holds the sources' files")
    return Path(folder).absolute()


def _filled(path: str, where: str) -> str:
    for plain, braced in _VARIABLE.findall(path):
        if (plain or braced) not in os.environ:
            name = plain or braced
            raise UserError(f"{where}: ${name} is not set: `export {name}=…`, or write the folder itself")
    return os.path.expandvars(path)
