"""Prepared samples on disk: memory-mapped Arrow files, of which a training reads one row at a time.

rows.arrow     a sample a row: its conversation as ids, its targets, and which images it shows
images.arrow   the encoded images, each once

The operating system pages in what is read and may drop it again, so nothing is held in memory, at any size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import atomic
from pipeline.atomic import Sink, Sum

_ROWS = pa.schema(
    [
        ("id", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("slots", pa.list_(pa.int32())),
        ("length", pa.int32()),
        ("images", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int8())),
        ("mass", pa.list_(pa.list_(pa.float32()))),
        ("weights", pa.list_(pa.float32())),
    ]
)
_IMAGES = pa.schema([("bytes", pa.large_binary())])
_BATCH_ROWS = 256
TRAIN, HELD_OUT = "train", "held_out"
"""The parts of a training's samples."""
UNMEASURED = -100
"""The hard label of a step without a target; `torch` ignores it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation ready to be trained on.

    `token_ids` and `slots` are those of a `Rendering` (an image is one placeholder), `length` counts its tokens with
    images expanded. `labels`, `mass` and `weights` have an entry a slot; without a target it is `UNMEASURED`, zeros
    and 0. `images` are encoded images.
    """

    id: str
    token_ids: Sequence[int]
    slots: Sequence[int]
    length: int
    images: Sequence[bytes]
    labels: Sequence[int]
    mass: Sequence[Sequence[float]]
    weights: Sequence[float]


def merged(samples: Sequence[Sample]) -> list[Sample]:
    """Samples of one problem, those that are alike in all but their id as one that weighs as much as all of them.

    A policy writes short solutions more than once; the sum of the losses stays what it was.
    """
    alike: dict[Hashable, list[Sample]] = {}
    for sample in samples:
        key = (*map(tuple, (sample.token_ids, sample.slots, sample.labels)), tuple(map(tuple, sample.mass)))
        alike.setdefault(key, []).append(sample)
    return [
        replace(
            first, weights=[sum(weights) for weights in zip(first.weights, *(o.weights for o in rest), strict=True)]
        )
        for first, *rest in alike.values()
    ]


class SampleWriter:
    """Writes samples into an empty folder; equal images of all parts are stored once."""

    def __init__(self, folder: Path, parts: Sequence[str]) -> None:
        self._stack = ExitStack()
        self._sinks: dict[str, Sink] = {}
        self._parts = {part: self._open(folder / f"{part}.arrow", _ROWS) for part in parts}
        self._images = self._open(folder / "images.arrow", _IMAGES)
        self._rows: dict[str, list[dict[str, Any]]] = {part: [] for part in parts}
        self._known: dict[bytes, int] = {}

    def add(self, part: str, sample: Sample) -> None:
        rows = self._rows[part]
        rows.append({**asdict(sample), "images": [self._image(data) for data in sample.images]})
        if len(rows) == _BATCH_ROWS:
            self._flush(part)

    def close(self) -> None:
        for part in self._rows:
            self._flush(part)
        self._stack.close()

    @property
    def sums(self) -> dict[str, Sum]:
        """Of the files, by name, once they are closed."""
        return {name: sink.sum for name, sink in self._sinks.items()}

    def _open(self, path: Path, schema: pa.Schema) -> pa.RecordBatchWriter:
        sink = self._sinks[path.name] = self._stack.enter_context(atomic.opened(str(path)))
        return self._stack.enter_context(pa.ipc.new_file(sink, schema))

    def _image(self, data: bytes) -> int:
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = len(self._known)
            self._images.write_batch(pa.record_batch([pa.array([data], pa.large_binary())], schema=_IMAGES))
        return self._known[digest]

    def _flush(self, part: str) -> None:
        if self._rows[part]:
            self._parts[part].write_batch(pa.RecordBatch.from_pylist(self._rows[part], schema=_ROWS))
        self._rows[part] = []


class Samples:
    """The samples of one part, by index: what a data loader's workers read."""

    def __init__(self, folder: Path, part: str) -> None:
        self._folder, self._part = folder, part
        self._rows, self._images = _mapped(folder / f"{part}.arrow"), _mapped(folder / "images.arrow")

    def __reduce__(self) -> tuple[Any, ...]:
        return Samples, (self._folder, self._part)

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows.slice(index, 1).to_pylist()[0]
        images = [self._images.column(0)[image].as_py() for image in row["images"]]
        return Sample(**{**row, "images": images})

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """The number of tokens of each sample, images expanded, [len(self)]."""
        return self._rows.column("length").to_numpy()

    @property
    def ids(self) -> list[str]:
        ids: list[str] = self._rows.column("id").to_pylist()
        return ids


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
