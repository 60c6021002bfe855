"""The doors for rows: a file, a Hugging Face dataset or a Python function.

Mistakes that concern the whole source are `UserError`s, raised before the first row wherever they can be seen
then; a row that can't be read is a `RowError` in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from stages.load.sources.files import FORMATS
from stages.load.sources.functions import open_function
from stages.load.sources.hub import open_dataset
from stages.load.sources.rows import Row, Rows


def open_rows(source: SourceConfig) -> Iterator[Row]:
    """The rows of a source, no more than its limit."""
    return _open(source).take(source.limit)


def count_rows(source: SourceConfig) -> int:
    """The rows that `open_rows` gives; reads to the end where nothing cheaper tells."""
    total = _open(source).count()
    if total is None:
        return sum(1 for _ in open_rows(source))
    if source.limit is None:
        return total
    stride = max(total // source.limit, 1)
    return min(source.limit, -(-total // stride))


def _open(source: SourceConfig) -> Rows:
    if source.function is not None:
        return open_function(source.name, source.function, source.kwargs)
    if source.dataset is not None:
        return open_dataset(source.name, source.dataset, source.dataset_config, source.split)
    assert source.path is not None  # the configuration has exactly one door
    return _open_file(Path(source.path), f"source {source.name!r}, path {source.path}")


def _open_file(path: Path, where: str) -> Rows:
    if path.is_dir():
        raise UserError(f"{where}: is a folder; name a file, or give a Hugging Face dataset as `dataset`")
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{where}: unknown file type {path.suffix!r}; use one of {', '.join(FORMATS)}")
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise UserError(f"{where}: no such file; correct the path") from None
    except OSError as error:
        raise UserError(f"{where}: can't be read: {error.strerror}") from error
    return FORMATS[path.suffix.lower()](path, where)
