"""What files a benchmark consists of, and where in them its rows are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import UserError
from pipeline.hub import ask_hub
from pipeline.markdown import counted
from stages.load.add.joining import joined, joined_within
from stages.load.add.layout import Layout
from stages.load.add.rows_inside import NO_ROWS, documents, inner_place, rows_place
from stages.load.sources.data_files import is_pattern, pattern_folder
from stages.load.sources.files import FORMATS
from stages.load.sources.nesting import WHOLE

MAX_FILES = 200_000
"""Files of a folder that are looked at."""
MAX_SMALL = 2**20
"""Bytes of a JSON file that may be one row."""
MAX_NAMED = 6
_DIGITS = re.compile(r"\d+")
_SAVED = ("state.json", "dataset_dict.json")
_NO_ROWS = ("dataset_info.json", "dataset_infos.json", "package.json", "license.json")


def find_layout(paths: Sequence[str], given: Mapping[str, Any]) -> Layout:
    """The layout of a file, a pattern, a folder, two files that belong together, or a dataset of the hub.

    Raises:
        UserError: there is nothing, or several benchmarks: names them.
    """
    if len(paths) == 2:
        return joined([_of_path(path, given) for path in paths])
    if len(paths) > 2:
        raise UserError("add: name one file, folder or dataset, or two files that belong together")
    path = paths[0]
    if Path(path).exists() or is_pattern(path):
        return _of_path(path, given)
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", path) and Path(path).suffix.lower() not in FORMATS:
        return _of_hub(path, given)
    raise UserError(f"{path}: no such file or folder; correct the path")


def _of_path(path: str, given: Mapping[str, Any]) -> Layout:
    place = Path(path)
    if place.is_dir():
        return _of_folder(place, given)
    base = pattern_folder(path) if is_pattern(path) else place.parent
    entry = {"path": path, **{key: given[key] for key in ("rows", "members") if key in given}}
    kind = _format(place)
    if place.suffix.lower() == ".tar" and "members" not in entry and (members := _files_of_rows(entry)) is not None:
        entry["members"], kind = members, "files of rows in a tar"
    layout = (
        Layout(f"{kind}, rows at {entry['rows']!r}", entry, base) if "rows" in entry else _with_rows(entry, base, kind)
    )
    if place.suffix.lower() == ".zip" or "members" in entry:
        layout.pictures = place
    return layout


def _files_of_rows(entry: Mapping[str, Any]) -> str | None:
    """The members of a tar that hold rows, if it is no tar of samples."""
    endings = {key for row in documents(entry).values for key in row}
    return next((f"*.{ending}" for ending in ("jsonl", "csv", "tsv", "parquet") if ending in endings), None)


def _format(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    kinds = {".jsonl": "JSON lines", ".ndjson": "JSON lines", ".json": "JSON", ".csv": "a table (CSV)", ".tsv": "a table (TSV)",
             ".parquet": "Parquet", ".tar": "WebDataset samples in a tar", ".zip": "files of rows in a zip"}  # fmt: skip
    return kinds.get(Path(name).suffix.lower(), f"files of type {Path(name).suffix or name}")


def _with_rows(entry: dict[str, Any], base: Path, kind: str) -> Layout:
    """The layout of files whose rows are yet to be found in their values."""
    found = documents(entry)
    if not found.whole:
        inner = inner_place(found.values)
        return Layout(
            kind + (f", rows inside its rows ({inner})" if inner else ""),
            entry | ({"rows": inner} if inner else {}),
            base,
        )
    content = found.values[0]
    place = rows_place(content)
    if place is None:
        return Layout(f"{kind}, a list of rows", entry, base)
    kinds = {WHOLE: "one object, which is a row", "*": "an object of rows by their keys"}
    layout = Layout(f"{kind}, {kinds.get(place, f'rows at {place!r}')}", {**entry, "rows": place}, base)
    if place == "data" and isinstance(content.get("data"), list):
        del layout.entry["rows"]  # where it is looked for anyway
    return joined_within(layout, content)


def _of_folder(folder: Path, given: Mapping[str, Any]) -> Layout:
    if any((folder / name).is_file() for name in _SAVED):
        return Layout(
            "a dataset that `save_to_disk` wrote", {"dataset": str(folder), **_saved_split(folder, given)}, folder
        )
    groups: dict[str, list[Path]] = {}
    others = 0
    for file in sorted(file for file in islice(folder.rglob("*"), MAX_FILES) if _may_hold_rows(file, folder)):
        if (holds := _holds(file)) == "nothing":
            others += 1
        else:
            groups.setdefault(_group(file, folder, holds), []).append(file)
    if not groups:
        raise UserError(f"{folder}: no file of rows in this folder ({', '.join(FORMATS)}); name another")
    if len(groups) == 1:
        layout = _of_group(folder, *groups.popitem(), given)
        layout.pictures = layout.pictures or folder
        if others:
            layout.notes.append(f"{others:,} other JSON files in the folder hold no questions or answers")
        return layout
    if len(groups) == 2:
        try:
            return joined([_of_group(folder, pattern, found, given) for pattern, found in groups.items()])
        except UserError:
            pass  # two benchmarks, or two splits of one
    names = ", ".join(str(folder / pattern) for pattern in list(groups)[:MAX_NAMED])
    raise UserError(f"{folder}: {len(groups)} files of rows: name one, or two that belong together: {names}")


def _may_hold_rows(file: Path, folder: Path) -> bool:
    name = file.name.lower()
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    suffix = Path(re.sub(r"\.(gz|bz2|xz)$", "", name)).suffix
    return suffix in FORMATS and name not in _NO_ROWS and not hidden and file.is_file()


_Holds = Literal["a row", "rows", "nothing"]


def _holds(file: Path) -> _Holds:
    """What a file is, as far as its name and, of a small JSON file, its content tell."""
    if file.suffix.lower() != ".json" or file.stat().st_size > MAX_SMALL:
        return "rows"
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError):
        return "rows"  # JSON lines, or a fault that reading will tell
    try:
        return "a row" if rows_place(content) == WHOLE else "rows"
    except UserError as error:
        return "nothing" if NO_ROWS in str(error) else "rows"


def _group(file: Path, folder: Path, holds: _Holds) -> str:
    """The pattern of the files that are like this one: numbers may differ, and the folders of files of one row."""
    parts = file.relative_to(folder).parts
    numbered = _DIGITS.search(parts[-1]) is not None
    if holds == "a row" and (numbered or len(parts) > 1):
        return ("**/" if len(parts) > 1 else "") + ("*.json" if numbered else parts[-1])
    return "/".join((*parts[:-1], _DIGITS.sub("*", parts[-1])))


def _of_group(folder: Path, pattern: str, files: Sequence[Path], given: Mapping[str, Any]) -> Layout:
    path = str(folder / pattern)
    if len(files) == 1 and "**" not in pattern:
        return _of_path(str(files[0]), given)
    if "**" in pattern or _holds(files[0]) == "a row":
        tops = sorted({file.relative_to(folder).parts[0] for file in files if "**" in pattern})
        within = f", in {', '.join(tops)}" if 1 < len(tops) <= MAX_NAMED else ""
        kind = f"{counted(len(files), 'JSON file')}, each one row{within}"
        return Layout(kind, {"path": path, "rows": WHOLE}, pattern_folder(path))
    layout = _of_path(path, given)
    layout.kind = f"{len(files):,} files, {layout.kind}"
    return layout


def _of_hub(name: str, given: Mapping[str, Any]) -> Layout:
    import datasets

    ask_hub(name, "dataset")
    config, split = given.get("dataset_config"), given.get("split")
    try:
        configs = datasets.get_dataset_config_names(name) if config is None else [config]
        if len(configs) > 1:
            raise UserError(f"{name}: has the configurations {', '.join(configs[:12])}: add dataset_config=…")
        splits = datasets.get_dataset_split_names(name, configs[0]) if split is None else [split]
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: no such file or folder, and no dataset on the hub: {type(error).__name__}: {error}"
                        .partition("\n")[0]) from error  # fmt: skip
    if len(splits) > 1:
        raise UserError(f"{name}: has the splits {', '.join(splits)}: add split=…")
    entry = {"dataset": name, "split": splits[0]}
    if configs[0] != "default":
        entry["dataset_config"] = configs[0]
    return Layout(f"a dataset of the hub, split {splits[0]}", entry)


def _saved_split(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    if "split" in given or not (folder / "dataset_dict.json").is_file():
        return {"split": given["split"]} if "split" in given else {}
    splits = json.loads((folder / "dataset_dict.json").read_text())["splits"]
    if len(splits) > 1:
        raise UserError(f"{folder}: has the splits {', '.join(splits)}: add split=…")
    return {"split": splits[0]}
