"""`visualprm export`: a published dataset in another format, with its images as files, each once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
from tqdm import tqdm

from pipeline import atomic
from pipeline.errors import RowError, UserError
from pipeline.prompts import prompt_file
from pipeline.store import one_line_io_errors
from pipeline.store.dataset_files import read_figures, shard_paths
from stages.exchange.export_card import export_card
from stages.exchange.format import ExportOptions, Writer
from stages.exchange.formats import FORMATS, heeding, writers
from stages.exchange.names import is_safe, own_name
from stages.exchange.spool import SortedLines
from stages.exchange.values import image_names
from stages.label import stated_kind
from stages.publish.drawn import biased_by, stopped_at_zeros
from stages.publish.kept import Kept, kept_of
from stages.publish.reading import read_rows
from stages.publish.shards import DOCUMENTS

DEFAULT_SYSTEM = prompt_file("prm_system_v1.txt")
_UNHEEDED = {
    "--threshold": "holds scores and no labels of its own",
    "--cut-after-error": "keeps every step",
    "--system": "has no place for a system turn",
}


def check_options(format: str, given: Iterable[str]) -> None:
    """Refuses options, by their names on the command line, that a format can't heed.

    Raises:
        UserError: names the first of them, and what to do instead.
    """
    for option in given:
        heed = heeding(option)
        if format in heed:
            continue
        if FORMATS[format].copies and option == "--threshold":
            raise UserError(
                f"--threshold: {format} copies the dataset as it is: label it again with `visualprm publish RUN "
                "label.threshold=…`, or an imported one with `visualprm import … --threshold …`"
            )
        raise UserError(f"{option}: {format} {_UNHEEDED[option]}: leave it out, or export as one of {', '.join(heed)}")


def export_dataset(dataset: str, format: str, out: str, options: ExportOptions) -> str:
    """Writes `out`, a folder that must not hold anything yet, and says what is in it.

    Rows that the format has no way to say are left out and counted by reason.

    Raises:
        UserError: there is no dataset, `out` isn't an empty local folder, no row could be written, or a threshold
            above 0 asks for more than the draws can say.
    """
    filesystem, shards = shard_paths(dataset)
    figures = read_figures(filesystem, os.path.dirname(shards[0]))
    if options.threshold:
        _check_threshold(dataset, figures, options.threshold)
    options = replace(options, early_stop=stopped_at_zeros(figures), kind=stated_kind(figures))
    target = _empty_folder(out)
    with one_line_io_errors(str(target)), atomic.new_folder(target) as folder:
        if FORMATS[format].copies:
            return _copy(filesystem, shards, Path(folder), options.name, format)
        how = writers()[format]
        writer = _Writer(Path(folder), how, options)
        for row in tqdm(read_rows(dataset), desc=f"export {format}", unit=" rows", disable=None, leave=False):
            writer.add(row)
        counts = writer.finish()
        if not counts:
            raise UserError(f"{dataset}: no row fits the format {format} ({_reasons(writer.left_out)})")
        card = export_card(options.name, format, counts, sum(counts.values()))
        for name, text in {"README.md": card, **how.documents(options.name, out.rstrip("/"), counts)}.items():
            with atomic.opened(f"{folder}/{name}") as file:
                file.write(text.encode())
    left = f"; left out: {_reasons(writer.left_out)}" if writer.left_out else ""
    if options.kind != "mc" and "--threshold" not in how.heeds:
        left += f"; {format} holds scores alone, so the labels of kind {options.kind} are not in it"
    return f"{sum(counts.values())} rows in {len(counts)} files, {writer.images} images in {out}{left}"


class _Writer:
    """Rows into their files, images beside them."""

    def __init__(self, folder: Path, format: Writer, options: ExportOptions) -> None:
        self._folder, self._format, self._options = folder, format, options
        self._files: dict[str, SortedLines] = {}
        self._written: dict[str, str] = {}
        self.left_out: Counter[str] = Counter()

    @property
    def images(self) -> int:
        return len(self._written)

    def add(self, row: Mapping[str, Any]) -> None:
        kept = kept_of(row)
        try:
            names, image = self._names(row, kept)
            line = self._format.line(row, kept, image, self._options)
        except RowError as error:
            self.left_out[error.reason] += 1
            return
        for name, content in zip(names, row["images"], strict=True):
            self._write_image(self._format.image_file(name), content)
        if line.file not in self._files:
            self._files[line.file] = SortedLines(self._folder / line.file)
        self._files[line.file].add(line.key, line.record)

    def finish(self) -> dict[str, int]:
        """The number of rows of each file."""
        return {name: file.finish() for name, file in self._files.items()}

    def _names(self, row: Mapping[str, Any], kept: Kept | None) -> tuple[Sequence[str], Any]:
        """The images' names, and the value that has them in the record: a path, a list of paths, or null.

        They are the ones that they came with, where those can be files of their own.
        """
        images = row["images"]
        if kept and self._format.keeps_names:
            held = image_names(kept.image)
            if len(held) == len(images) and all(map(self._is_free, held, images)):
                return held, kept.image
        own = [own_name(row["source"], image["path"], image["bytes"]) for image in images]
        names = [self._format.own_name(self._options.name, name) for name in own]
        return names, names[0] if len(names) == 1 else names or None

    def _is_free(self, name: str, image: Mapping[str, Any]) -> bool:
        file = self._format.image_file(name)
        return is_safe(name) and self._written.get(file, image["path"]) == image["path"]

    def _write_image(self, file: str, image: Mapping[str, Any]) -> None:
        if file in self._written:
            return
        path = self._folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.opened(str(path)) as out:
            out.write(image["bytes"])
        self._written[file] = image["path"]


def _empty_folder(out: str) -> Path:
    if "://" in out:
        raise UserError(f"{out}: exports are written to local folders; copy it from there")
    path = Path(os.path.abspath(out))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{out}: holds something already; name a new folder")
    return path


def _check_threshold(dataset: str, figures: Mapping[str, Any], threshold: float) -> None:
    """Refuses a threshold above 0 on shares that can't be trusted, such as those of draws that stopped at a success."""
    if biased := biased_by(figures):
        raise UserError(
            f"--threshold {threshold:g}: {dataset} was drawn with {biased}: leave it at 0, or top the run up with "
            "rollout.strategy=fixed"
        )


def _copy(filesystem: pafs.FileSystem, shards: list[str], folder: Path, name: str, format: str) -> str:
    """The published files as they are, with a card if they have none."""
    source = os.path.dirname(shards[0])
    documents = [f"{source}/{name}" for name in DOCUMENTS if filesystem.get_file_info(f"{source}/{name}").is_file]
    for path in (*shards, *documents):
        pafs.copy_files(path, str(folder / os.path.basename(path)), source_filesystem=filesystem)
    if not (folder / "README.md").exists():
        atomic.write(folder / "README.md", export_card(name, format, map(os.path.basename, shards)))
    return f"{len(shards)} shards"


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "the dataset is empty"
