"""Rows from a Hugging Face dataset: a hub id, a folder of data files or one that `save_to_disk` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import StartError, UserError
from pipeline.hub import ask_hub
from stages.load.sources.rows import Row, Rows


def open_dataset(name: str, dataset: str, config: str | None, split: str) -> Rows:
    """Streams the split; images come as their original bytes or as the path of their file.

    Raises:
        UserError: it is nowhere, or can't be read.
        StartError: the hub does not answer.
    """
    where = f"source {name!r}, dataset {dataset}"
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"{where}: needs the package `datasets`; run `pip install datasets`") from error
    folder = Path(dataset)
    try:
        if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
            saved = datasets.load_from_disk(dataset)
            saved = saved[split] if isinstance(saved, datasets.DatasetDict) else saved
            size: int | None = len(saved)
            stream = saved.to_iterable_dataset()
        else:
            if not folder.exists():
                ask_hub(dataset, "dataset")
            stream = datasets.load_dataset(dataset, config, split=split, streaming=True)
            size = _declared_size(stream, split)
        # An image that the library fails to decode would end the stream; `load` decodes them row by row.
        stream = stream.decode(False)
    except StartError as error:
        raise StartError(f"{where}: {error}") from error
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except Exception as error:
        raise UserError(f"{where}: {_told(error)}; correct `dataset`, `dataset_config` or `split`") from error
    return Rows(_rows(stream, where), lambda: size)


def _declared_size(stream: Any, split: str) -> int | None:
    declared = (stream.info.splits or {}).get(split)
    return declared.num_examples if declared else None


def _rows(stream: Any, where: str) -> Iterator[Row]:
    number = 0
    try:
        for number, row in enumerate(stream, 1):
            yield number, row
    except Exception as error:
        raise UserError(f"{where}: reading stopped after {number} rows: {_told(error)}") from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
