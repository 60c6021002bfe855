"""What files a benchmark consists of, and where in them its rows are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from stages.load.add.joining import joined, joined_within
from stages.load.add.layout import Layout
from stages.load.add.rows_inside import documents, inner_place, rows_place
from stages.load.sources.data_files import is_pattern, pattern_folder
from stages.load.sources.files import FORMATS
from stages.load.sources.nesting import WHOLE

MAX_FILES = 200_000
"""Files of a folder that are looked at."""
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
    if place.suffix.lower() == ".zip":
        layout = _with_rows(
            {"path": path, **{key: given[key] for key in ("members",) if key in given}}, base, _format(place)
        )
        layout.archive = place
        return layout
    entry = {"path": path, **{key: given[key] for key in ("rows", "members") if key in given}}
    if "rows" in entry:
        return Layout(f"{_format(place)}, rows at {entry['rows']!r}", entry, base)
    return _with_rows(entry, base, _format(place))


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
    files = [file for file in islice(folder.rglob("*"), MAX_FILES) if _may_hold_rows(file, folder)]
    groups: dict[str, list[Path]] = {}
    for file in sorted(files):
        groups.setdefault(_group(file, folder), []).append(file)
    if not groups:
        raise UserError(f"{folder}: no file of rows in this folder ({', '.join(FORMATS)}); name another")
    if len(groups) == 1:
        return _of_group(folder, *groups.popitem(), given)
    if len(groups) == 2:
        try:
            return joined([_of_group(folder, pattern, found, given) for pattern, found in groups.items()])
        except UserError:
            pass  # two benchmarks, or two splits of one
    names = ", ".join(str(folder / pattern) for pattern in list(groups)[:6])
    raise UserError(f"{folder}: {len(groups)} files of rows: name one, or two that belong together: {names}")


def _may_hold_rows(file: Path, folder: Path) -> bool:
    name = file.name.lower()
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    suffix = Path(re.sub(r"\.(gz|bz2|xz)$", "", name)).suffix
    return suffix in FORMATS and name not in _NO_ROWS and not hidden and file.is_file()


def _group(file: Path, folder: Path) -> str:
    """The pattern of the files that are like this one: numbers may differ, and the folders of small JSON files."""
    parts = file.relative_to(folder).parts
    if file.suffix.lower() == ".json" and len(parts) > 1 and _is_one_row(file):
        name = "*.json" if _DIGITS.search(parts[-1]) else parts[-1]
        return "/".join(["**", name])
    if file.suffix.lower() == ".json" and _DIGITS.search(parts[-1]) and _is_one_row(file):
        return "*.json"
    return "/".join((*parts[:-1], _DIGITS.sub("*", parts[-1]) if _DIGITS.search(parts[-1]) else parts[-1]))


def _is_one_row(file: Path) -> bool:
    if file.stat().st_size > 2**20:
        return False
    try:
        return rows_place(json.loads(file.read_text(encoding="utf-8-sig"))) == WHOLE
    except (ValueError, OSError, UserError):
        return False


def _of_group(folder: Path, pattern: str, files: Sequence[Path], given: Mapping[str, Any]) -> Layout:
    path = str(folder / pattern)
    if len(files) == 1 and "**" not in pattern:
        return _of_path(str(files[0]), given)
    if "*.json" in pattern or "**" in pattern:
        return Layout(
            f"{len(files):,} JSON file{'s' * (len(files) != 1)}, each one row",
            {"path": path, "rows": WHOLE},
            pattern_folder(path),
        )
    layout = _of_path(path, given)
    layout.kind = f"{len(files):,} files, {layout.kind}"
    return layout


def _of_hub(name: str, given: Mapping[str, Any]) -> Layout:
    import datasets

    config, split = given.get("dataset_config"), given.get("split")
    try:
        configs = datasets.get_dataset_config_names(name) if config is None else [config]
        if len(configs) > 1:
            raise UserError(f"{name}: has the configurations {', '.join(configs[:12])}: add dataset_config=…")
        splits = datasets.get_dataset_split_names(name, configs[0]) if split is None else [split]
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: no such file or folder, and no dataset of the hub: {type(error).__name__}: {error}"
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
