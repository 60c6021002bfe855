"""Where the sources' files lie: relative paths below one folder, environment variables filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.errors import UserError

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def locate(sources: Sequence[SourceConfig], data_root: str | None) -> list[SourceConfig]:
    """The sources with the paths of their files as they can be opened.

    Raises:
        UserError: a variable is not set, `data_root` is no folder, or a source's file is not there; told before
            any source is read, since reading them all takes hours.
    """
    root = _folder(data_root)
    located = [_located(source, root) for source in sources]
    missing = [source for source in located if source.path is not None and not Path(source.path).exists()]
    if missing:
        more = f" ({len(missing)} of {len(located)} sources' files are missing)" if len(missing) > 1 else ""
        name, path = missing[0].name, missing[0].path
        raise UserError(f"source {name!r}, path {path}: no such file; correct the path{more}")
    return located


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
    return source.model_copy(
        update={key: str(root / _filled(path, where + key)) for key, path in paths.items() if path is not None}
    )


def _filled(path: str, where: str) -> str:
    for plain, braced in _VARIABLE.findall(path):
        if (plain or braced) not in os.environ:
            name = plain or braced
            raise UserError(f"{where}: ${name} is not set: `export {name}=…`, or write the folder itself")
    return os.path.expandvars(path)
