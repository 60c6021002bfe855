"""Where the sources' files lie: environment variables filled in, then below `data_root` or where any input may lie."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from pipeline.inputs import located, searched

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def locate(sources: Sequence[SourceConfig], data_root: str | None) -> list[SourceConfig]:
    """The sources with the paths of their files as they can be opened.

    Raises:
        UserError: a variable is not set, `data_root` is no folder, or a source's file is not there; told before
            any source is read, since reading them all takes hours.
    """
    found = [_located(source, data_root) for source in sources]
    missing = [source for source in found if source.path is not None and not Path(source.path).exists()]
    if missing:
        more = f" ({len(missing)} of {len(found)} sources' files are missing)" if len(missing) > 1 else ""
        name, path, places = missing[0].name, missing[0].path, searched(str(missing[0].path), missing[0].folders)
        raise UserError(f"source {name!r}, path {path}: no such file{places}; correct the path{more}")
    return found


def _located(source: SourceConfig, data_root: str | None) -> SourceConfig:
    folders = source.folders
    root = None if data_root is None else _root(data_root, folders)

    def place(path: str) -> str:
        return located(path, folders) if root is None else str(root / path)

    paths = {"path": source.path, "images": source.images}
    where = f"source {source.name!r}, "
    update = {key: place(_filled(path, where + key)) for key, path in paths.items() if path is not None}
    if source.dataset is not None:
        update["dataset"] = located(source.dataset, folders)
    return source.model_copy(update=update)


def _root(data_root: str, folders: Sequence[Path]) -> Path:
    folder = located(_filled(data_root, "data_root"), folders)
    if not Path(folder).is_dir():
        places = searched(folder, folders)
        raise UserError(f"data_root: {folder} is no folder{places}: name the one that holds the sources' files")
    return Path(folder).absolute()


def _filled(path: str, where: str) -> str:
    for plain, braced in _VARIABLE.findall(path):
        if (plain or braced) not in os.environ:
            name = plain or braced
            raise UserError(f"{where}: ${name} is not set: `export {name}=…`, or write the folder itself")
    return os.path.expandvars(path)
