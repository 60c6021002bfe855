"""What files a benchmark consists of, and where in them its rows are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from stages.load.add.guesses import ANSWERS, OPTIONS, Guess, guess
from stages.load.add.survey import survey
from stages.load.sources.data_files import find_data_files, is_pattern, pattern_folder
from stages.load.sources.files import FORMATS
from stages.load.sources.nesting import WHOLE, inner_rows
from stages.load.sources.readers import open_rows

MAX_FILES = 200_000
"""Files of a folder that are looked at."""
PEEK = 20
"""Rows that are read to see what a file holds."""
_DIGITS = re.compile(r"\d+")
_SAVED = ("state.json", "dataset_dict.json")
_NO_ROWS = ("dataset_info.json", "dataset_infos.json", "package.json", "license.json")


@dataclass
class Layout:
    """What was found: a description for a person, the keys of the entry that say where the rows are, the folder of all."""

    kind: str
    entry: dict[str, Any]
    base: Path | None = None
    archive: Path | None = None
    """The archive that holds the rows, and may hold the pictures."""
    notes: list[str] = field(default_factory=list)


def find_layout(paths: Sequence[str], given: Mapping[str, Any]) -> Layout:
    """The layout of a file, a pattern, a folder, two files that belong together, or a dataset of the hub.

    Raises:
        UserError: there is nothing, or several benchmarks: names them.
    """
    if len(paths) == 2:
        return _joined([_of_path(path, given) for path in paths])
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
    documents = _documents(entry)
    is_json = kind == "JSON" or (kind.startswith("files of rows") and documents.whole)
    if not is_json:
        inner = _inner_place(documents.values)
        return Layout(
            kind + (f", rows inside its rows ({inner})" if inner else ""),
            entry | ({"rows": inner} if inner else {}),
            base,
        )
    content = documents.values[0]
    place = _rows_place(content)
    if place is None:
        return Layout(f"{kind}, a list of rows", entry, base)
    kinds = {WHOLE: "one object, which is a row", "*": "an object of rows by their keys"}
    layout = Layout(f"{kind}, {kinds.get(place, f'rows at {place!r}')}", {**entry, "rows": place}, base)
    if place == "data" and isinstance(content.get("data"), list):
        del layout.entry["rows"]  # where it is looked for anyway
    return _joined_within(layout, content)


@dataclass
class _Documents:
    values: list[Any]
    whole: bool
    """Whether a value is a whole file."""


def _documents(entry: Mapping[str, Any]) -> _Documents:
    """The first values of the files: of JSON the whole one, of other formats some rows."""
    files = find_data_files(entry["path"], entry.get("members"), str(entry["path"]), FORMATS)
    file = files[0]
    if file.suffix == ".json":
        try:
            with file.open() as stream:
                return _Documents([json.loads(stream.read().decode("utf-8-sig"))], whole=True)
        except ValueError:
            pass  # JSON lines, or what the reader will refuse
    if file.suffix not in FORMATS:
        raise UserError(f"{entry['path']}: unknown file type {file.suffix!r}; use one of {', '.join(FORMATS)}")
    source = SourceConfig(name="peek", limit=None, **entry)
    return _Documents([row for _, row in islice(open_rows(source), PEEK) if isinstance(row, Mapping)], whole=False)


def _rows_place(content: Any) -> str | None:
    """Where the rows are, None for a list of them; as `SourceConfig.rows`.

    Raises:
        UserError: nothing in the value looks like a row.
    """
    best: tuple[int, str | None] = (0, None)
    for place, items in _places(content, ()):
        found = guess(survey(items))
        score = 4 * bool(found.question) + 2 * bool(found.answer) + bool(found.image)
        if score > best[0]:
            best = (score, ".".join(place) if place else None)
    if best[0] == 0:
        raise UserError("nothing in the file looks like a row with a question or an answer: name the place as rows=…")
    return best[1]


def _inner_place(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Where in a row the rows are, if it has no question itself."""
    if not rows or guess(survey(rows)).question:
        return None
    places = [(place, items) for place, items in _places(rows[0], ()) if place != (WHOLE,)]
    return next((".".join(place) for place, items in places if guess(survey(items)).question), None)


def _places(
    value: Any, place: tuple[str, ...], depth: int = 0
) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]]]]:
    """Where rows could be, the outer ones first, each with some of them."""
    if depth > 3:
        return
    if isinstance(value, list):
        items = [item for item in value[:PEEK] if isinstance(item, Mapping)]
        if items and not _is_conversation(items):
            yield place, items
            for key in items[0]:
                if key.lower() not in (*OPTIONS, *ANSWERS) and isinstance(items[0][key], list):
                    yield from _places(items[0][key], (*place, "*", key), depth + 1)
    elif isinstance(value, Mapping):
        values = list(islice(value.values(), PEEK))
        if values and all(isinstance(item, Mapping) for item in values):
            yield (*place, "*"), values
            for key in values[0]:
                if isinstance(values[0][key], list) and key.lower() not in (*OPTIONS, *ANSWERS):
                    yield from _places(values[0][key], (*place, "*", key), depth + 1)
        for key, item in islice(value.items(), PEEK):
            if isinstance(item, (list, Mapping)) and str(key).lower() not in OPTIONS:
                yield from _places(item, (*place, str(key)), depth + 1)
        if not place:
            yield (WHOLE,), [value]


def _is_conversation(items: Sequence[Mapping[str, Any]]) -> bool:
    return all({"role", "from", "speaker", "type"} & set(item) for item in items)


def _of_folder(folder: Path, given: Mapping[str, Any]) -> Layout:
    if any((folder / name).is_file() for name in _SAVED):
        return Layout("a dataset that `save_to_disk` wrote", {"dataset": str(folder), **_split(given)}, folder)
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
            return _joined([_of_group(folder, pattern, found, given) for pattern, found in groups.items()])
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
        return _rows_place(json.loads(file.read_text(encoding="utf-8-sig"))) == WHOLE
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


def _split(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"split": given["split"]} if "split" in given else {}


def _joined(layouts: Sequence[Layout]) -> Layout:
    """Two files, of which one has the questions and the other what the first lacks.

    Raises:
        UserError: they have no key in common.
    """
    peeks = [_peek(layout) for layout in layouts]
    guesses = [guess(survey(rows)) for rows in peeks]
    asking = [number for number, found in enumerate(guesses) if found.question]
    if len(asking) != 1:
        raise UserError("both files have questions: name one" if asking else "neither file has questions: name another")
    first = asking[0]
    layout, other = layouts[first], layouts[1 - first]
    if (key := _common_key(peeks[first], peeks[1 - first])) is None:
        raise UserError(
            f"no column of {layout.entry['path']} names the rows of {other.entry['path']}: join them by hand"
        )
    join = {
        "path": other.entry["path"],
        **({"rows": other.entry["rows"]} if "rows" in other.entry else {}),
        "by": _by(key),
    }
    kind = f"{layout.kind}; joined with {Path(other.entry['path']).name} by {key[0]}"
    return Layout(kind, {**layout.entry, "join": {_join_name(other.entry["path"]): join}}, layout.base)


def _peek(layout: Layout) -> list[Mapping[str, Any]]:
    source = SourceConfig(name="peek", **layout.entry)
    return [row for _, row in islice(open_rows(source), 1000) if isinstance(row, Mapping)]


def _joined_within(layout: Layout, content: Any) -> Layout:
    """A file that lists its pictures, or its answers, apart from its questions."""
    if not isinstance(content, Mapping) or layout.entry.get("rows") in (WHOLE, "*"):
        return layout
    rows = [row for row in inner_rows(content, layout.entry.get("rows", "data")) if isinstance(row, Mapping)]
    found = guess(survey(rows[:PEEK]))
    for name, value in content.items():
        others = [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
        if name == layout.entry.get("rows", "data") or not others or not _adds(found, guess(survey(others[:PEEK]))):
            continue
        if (key := _common_key(rows, others)) is not None:
            join = {"path": layout.entry["path"], "rows": name, "by": _by(key)}
            layout.entry.setdefault("join", {})[str(name)] = join
            layout.kind += f"; joined with its {name} by {key[0]}"
    return layout


def _adds(found: Guess, other: Guess) -> bool:
    return bool((other.answer and not found.answer) or other.image)


def _common_key(rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The columns by which rows name one other row each: of the same name, or `image_id` and `id`."""
    for other in others[0] if others else ():
        values = [str(row.get(other)) for row in others]
        if len(set(values)) < len(values):
            continue
        for own in rows[0]:
            alike = own == other or (other.lower() == "id" and own.lower().endswith("id") and own.lower() != "id")
            if alike and {str(row.get(own)) for row in rows} & set(values):
                return own, other
    return None


def _by(key: tuple[str, str]) -> str | dict[str, str]:
    return key[0] if key[0] == key[1] else {key[0]: key[1]}


def _join_name(path: str) -> str:
    return re.sub(r"\W+", "_", Path(path).name.partition(".")[0].replace("*", "")).strip("_") or "other"
