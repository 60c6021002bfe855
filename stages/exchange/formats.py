"""The formats of `visualprm export`: which file a row goes to, under which names its images, in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.exchange import conversations, math_shepherd, messages, prm800k, raw
from stages.exchange.labels import labelled_turns
from stages.exchange.names import file_stem
from stages.publish.kept import Kept, restore

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the user chose.

    `threshold` replaces the published labels; `cut` ends a conversation after its first `-`; `system` is the system
    turn of rows that brought none along; `name` names the dataset. `early_stop` is no choice: it says that the dataset
    was drawn no further than each solution's first step without a success.
    """

    name: str
    system: str
    threshold: float | None = None
    cut: bool = False
    early_stop: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A record, the file it belongs to, and its place there: lines are sorted by `key`, then as they came."""

    file: str
    record: dict[str, Any]
    key: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """How rows are written.

    `line` makes a row's record, given its origin and the names of its images as they stand in the record: a path,
    a list of paths, or null. `image_file` says where the image of such a name lies below the output folder.
    `keeps_names`: rows from elsewhere keep the names that their images had. `documents` are the texts of other
    files, from the output folder and the number of lines in each file.
    """

    line: Callable[[Row, Kept | None, Any, ExportOptions], Line]
    image_file: Callable[[str], str]
    keeps_names: bool
    own_name: Callable[[str, str], str]
    documents: Callable[[str, str, Mapping[str, int]], Mapping[str, str]]


def _turns(row: Row, options: ExportOptions) -> list[tuple[str, str]]:
    return labelled_turns(row["steps_with_score"], options.threshold, options.cut)


def _prompt(row: Row, kept: Kept | None) -> str:
    """A released prompt has its images' places already."""
    prompt: str = row["prompt"]
    return prompt if kept else conversations.with_images(prompt, len(row["images"]))


def _conversation(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    from_conversation = kept is not None and kept.format == "conversations"
    system = kept.system if kept and from_conversation else options.system
    record = conversations.write(_prompt(row, kept), _turns(row, options), image, system)
    if kept and from_conversation:
        record = restore(record, kept)
    order = (kept.file, kept.row) if kept else ("", 0)
    return Line(f"{file_stem(row['source'])}_prm.jsonl", record, (str(image), *order))


def _raw(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    if kept is None or kept.format != "raw":
        record = raw.write({**row, "prompt": _prompt(row, kept)}, image, options.early_stop)
        return Line(f"annotations/{file_stem(row['source'])}.jsonl", record, (0,))
    record = restore(raw.write(row, image, lenient=True), kept)
    return Line(f"annotations/{'/'.join(map(file_stem, kept.file.split('/')))}", record, (kept.row,))


def _messages(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    system = kept.system if kept and kept.system is not None else options.system
    record = messages.write(_prompt(row, kept), _turns(row, options), _listed(image), system)
    return Line(f"{file_stem(row['source'])}.jsonl", record)


def _math_shepherd(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    record = math_shepherd.write(row, _turns(row, options), _listed(image))
    return Line(f"{file_stem(row['source'])}.jsonl", record)


def _prm800k(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    return Line(f"{file_stem(row['source'])}.jsonl", prm800k.write(row, _listed(image), options.threshold))


def _meta(_name: str, out: str, counts: Mapping[str, int]) -> Mapping[str, str]:
    """InternVL's list of datasets; its paths are relative to where the trainer is started."""
    entries = {
        file.removesuffix("_prm.jsonl"): {
            "root": f"{out}/images/",
            "annotation": f"{out}/{file}",
            "data_augment": False,
            "repeat_time": 1,
            "length": length,
        }
        for file, length in sorted(counts.items())
    }
    return {"meta.json": json.dumps(entries, indent=2, ensure_ascii=False) + "\n"}


def _dataset_info(name: str, _out: str, counts: Mapping[str, int]) -> Mapping[str, str]:
    files = {f"{name}_{file.removesuffix('.jsonl')}": file for file in counts}
    return {"dataset_info.json": messages.dataset_info(files)}


def _nothing(_name: str, _out: str, _counts: Mapping[str, int]) -> Mapping[str, str]:
    return {}


def _listed(image: Any) -> Sequence[str]:
    return [] if image is None else [image] if isinstance(image, str) else list(image)


def _below_images(_dataset: str, name: str) -> str:
    return f"images/{name}"


HEEDED_BY: Mapping[str, tuple[str, ...]] = {
    "--threshold": ("conversations", "messages", "math-shepherd", "prm800k"),
    "--cut-after-error": ("conversations", "messages", "math-shepherd"),
    "--system": ("conversations", "messages"),
}
"""The formats that have a place for what an option asks for; no other one can heed it."""

FORMATS: dict[str, Format] = {
    "conversations": Format(_conversation, lambda name: f"images/{name}", True, lambda _dataset, name: name, _meta),
    "raw": Format(
        # A raw path begins with its dataset's name, which is no folder.
        _raw,
        lambda name: f"images/{name.partition('/')[2] or name}",
        True,
        lambda dataset, name: f"{dataset}/{name}",
        _nothing,
    ),
    "messages": Format(_messages, lambda name: name, False, _below_images, _dataset_info),
    "math-shepherd": Format(_math_shepherd, lambda name: name, False, _below_images, _nothing),
    "prm800k": Format(_prm800k, lambda name: name, False, _below_images, _nothing),
}
