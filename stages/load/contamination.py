"""Contamination: what a problem has in common with the rows of benchmarks that a reward model is measured on.

Images are compared by a perceptual hash (the library imagehash: the signs of 64 low frequencies), which survives
another format, size or quality; questions by the n-grams of their words, as in appendix C of arXiv 2005.14165.
Neither is proof: drawings that differ in a detail have nearly the same hash, and questions follow templates. The
strongest sign is `both`, the same row's image and question.
"""

from __future__ import annotations

import io
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image

from pipeline.records import IMAGE, Image, OverlapKind

# Chinese and Japanese have no blanks between words, so that each character counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a problem shares with a benchmark's row: the closest image's distance in bits, the words of an n-gram."""

    benchmark: str
    row_id: str
    kind: OverlapKind
    distance: int | None
    ngram: str | None


def ngrams(question: str, n: int) -> set[str]:
    """All runs of `n` words, in lower case and without punctuation; of a shorter question, the whole of it."""
    words = _WORD.findall(question.replace(IMAGE, " ").lower())
    if len(words) < n:
        return {" ".join(words)} if words else set()
    return {" ".join(words[start : start + n]) for start in range(len(words) - n + 1)}


def image_hash(data: bytes) -> int:
    """64 bits that are nearly the same for images that look the same."""
    import imagehash

    with PIL.Image.open(io.BytesIO(data)) as image:
        bits = imagehash.phash(image).hash
    return int.from_bytes(np.packbits(bits).tobytes())


@dataclass(frozen=True, slots=True)
class _Row:
    benchmark: str
    row_id: str


class Index:
    """The questions and images of the benchmarks.

    A question is looked up n-gram by n-gram. An image is compared with all of theirs, which takes 0.1 ms for
    100,000; a tree or bands of bits would be no faster at the tens of thousands that benchmarks have.
    """

    def __init__(self, ngram: int, max_common: int, max_distance: int) -> None:
        self._n, self._max_common, self._max_distance = ngram, max_common, max_distance
        self._rows: list[_Row] = []
        self._ngrams: dict[str, list[int]] = {}
        self._hashes: list[int] = []
        self._hash_rows: list[int] = []
        self._near: dict[str, dict[int, int]] = {}
        self._packed = np.empty(0, dtype=np.uint64)
        self._looking = [threading.Lock() for _ in range(256)]

    def add(self, benchmark: str, row_id: str, question: str, images: Iterable[bytes]) -> None:
        number = len(self._rows)
        self._rows.append(_Row(benchmark, row_id))
        for ngram in ngrams(question, self._n):
            self._ngrams.setdefault(ngram, []).append(number)
        for data in images:
            self._hashes.append(image_hash(data))
            self._hash_rows.append(number)

    def close(self) -> None:
        """Call once, when all rows are in: forgets the n-grams that belong to a benchmark's form."""
        for ngram, rows in list(self._ngrams.items()):
            if max(Counter(self._rows[row].benchmark for row in rows).values()) > self._max_common:
                del self._ngrams[ngram]
        self._packed = np.array(self._hashes, dtype=np.uint64)

    def find(self, question: str, images: Sequence[Image]) -> list[Overlap]:
        """The overlaps of a problem, at most one of each kind with a benchmark, in order of benchmark and kind."""
        near: dict[int, int] = {}
        for image in images:
            for row, distance in self._near_rows(image).items():
                near[row] = min(distance, near.get(row, distance))
        shared = {row: ngram for ngram in sorted(ngrams(question, self._n)) for row in self._ngrams.get(ngram, ())}
        benchmarks = sorted({self._rows[row].benchmark for row in near.keys() | shared.keys()})
        return [overlap for name in benchmarks for overlap in self._overlaps(name, near, shared)]

    def _overlaps(self, benchmark: str, near: dict[int, int], shared: dict[int, str]) -> Iterator[Overlap]:
        mine = [row for row in sorted(near.keys() | shared.keys()) if self._rows[row].benchmark == benchmark]
        kinds: dict[OverlapKind, list[int]] = {
            "both": [row for row in mine if row in near and row in shared],
            "image": [row for row in mine if row in near],
            "question": [row for row in mine if row in shared],
        }
        if kinds["both"]:
            kinds = {"both": kinds["both"]}
        for kind, rows in kinds.items():
            if rows:
                best = min(rows, key=lambda row: (near.get(row, 0), row))
                yield Overlap(benchmark, self._rows[best].row_id, kind, near.get(best), shared.get(best))

    def look(self, images: Iterable[Image]) -> None:
        """Finds the rows with images like these, and remembers them for `find`; on any thread."""
        for image in images:
            self._near_rows(image)

    def _near_rows(self, image: Image) -> dict[int, int]:
        """Row → distance, for the rows that have an image within `max_distance` bits."""
        if (known := self._near.get(image.sha256)) is not None:
            return known
        # Problems about one image are looked at at the same time: one of them decodes it.
        with self._looking[int(image.sha256[:2], 16)]:
            return self._compared(image)

    def _compared(self, image: Image) -> dict[int, int]:
        if image.sha256 not in self._near:
            found: dict[int, int] = {}
            if len(self._packed):
                distances = np.bitwise_count(self._packed ^ np.uint64(image_hash(image.data)))
                for index in np.flatnonzero(distances <= self._max_distance).tolist():
                    row, distance = self._hash_rows[index], int(distances[index])
                    found[row] = min(distance, found.get(row, distance))
            # Many questions of a source share an image.
            self._near[image.sha256] = found
        return self._near[image.sha256]
