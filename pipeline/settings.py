"""Settings files: pydantic models that refuse unknown keys, read from YAML with `key.sub=value` overrides."""

from __future__ import annotations

import copy
import json
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import UserError, closest, did_you_mean
from pipeline.inputs import located, searched


class Strict(BaseModel):
    """A group of settings. Every field's docstring gives its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    _folders: tuple[Path, ...] = PrivateAttr(())

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the files that these settings were read from: `pipeline.inputs` looks for inputs there, too."""
        return self._folders

    def model_post_init(self, context: Any) -> None:
        self._folders = tuple(context["folders"]) if context else ()

    def __eq__(self, other: object) -> bool:
        # Where a config lies is no setting.
        return type(self) is type(other) and self.__dict__ == other.__dict__


def only_if_set() -> Any:
    """None by default, and then no part of what is recorded: what was made before there was the setting stays the same."""
    return Field(default=None, exclude_if=lambda value: value is None)


Settings = TypeVar("Settings", bound=Strict)


def load_settings(model: type[Settings], path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Reads a YAML file, applies `key.sub=value` overrides (values in YAML) and validates.

    The file is one of the user's, or ships with the package (`configs/demo.yaml`). `extends: other.yaml`, relative to
    the file or from the package, starts from another file's keys; lists are replaced as a whole.

    Raises:
        UserError: one line that names the file, the key and the mend.
    """
    data, files = _read(_config_file(str(path)))
    folders = dict.fromkeys(file.parent.absolute() for file in files)
    return parse_settings(model, data, overrides, str(path), tuple(folders))


def parse_settings(
    model: type[Settings],
    data: dict[str, Any],
    overrides: Sequence[str] = (),
    origin: str = "config",
    folders: tuple[Path, ...] = (),
) -> Settings:
    """The settings that keys and values stand for, after the overrides; `folders` are those of their files.

    Raises:
        UserError: as `load_settings`.
    """
    # The caller's stay as they are: a run's own settings are read beside those it is published with.
    given = copy.deepcopy(data)
    for item in overrides:
        override(given, item)
    try:
        return model.model_validate(given, context={"folders": folders})
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_line(error, model)}") from error


def dump_settings(settings: Strict) -> str:
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Groups of settings as dotted keys, items of a list of groups by their `name` or number: `sources[a].limit`."""
    if isinstance(value, dict) and value:
        parts = [(f"{prefix}.{key}" if prefix else key, item) for key, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        parts = [(f"{prefix}[{item.get('name', index)}]", item) for index, item in enumerate(value)]
    else:
        return {prefix: value}
    return {key: leaf for name, item in parts for key, leaf in flat(item, name).items()}


def _read(path: Path, extended_by: tuple[Path, ...] = ()) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The keys of a file over those of the file that it extends, and both files."""
    if path.resolve() in extended_by:
        raise UserError(f"{path}: extends itself: name another file")
    data = _read_yaml(path)
    base = data.pop("extends", None)
    if base is None:
        return data, (path,)
    if not isinstance(base, str):
        raise UserError(f"{path}: extends: name one file")
    under, files = _read(_config_file(base, path.parent), (*extended_by, path.resolve()))
    return _merged(under, data), (path, *files)


def _config_file(name: str, folder: Path = Path()) -> Path:
    """A config by its name: in the folder of the file that extends it, or where any input may lie."""
    inner = folder / name
    found = inner if inner.exists() else Path(located(name))
    if not found.exists():
        raise UserError(f"{name}: no such config file{searched(name, [folder])}; configs/ has some to start from")
    return found


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            merged[key] = _merged(under[key], over[key])
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(f"{path}: not valid YAML{line}: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected keys and values at the top level")
    return data


def override(data: dict[str, Any], setting: str) -> None:
    """Puts the value of a `key.sub=value` (in YAML) into `data`.

    Raises:
        UserError: it is none.
    """
    key, sign, text = setting.partition("=")
    if not sign or not key:
        raise UserError(f"override {setting!r}: write it as key.sub=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"override {setting!r}: the value is not valid YAML") from error
    node: Any = data
    *parents, last = key.split(".")
    for depth, part in enumerate(parents):
        node = _child(node, part, ".".join(parents[: depth + 1]))
    if isinstance(node, list):
        node[_index(node, last, key)] = value
    else:
        node[last] = value


def _child(node: Any, part: str, where: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, part, where)]
    child = node.setdefault(part, {})
    if not isinstance(child, (dict, list)):
        raise UserError(f"override {where}: {part!r} holds a value, not keys")
    return child


def _index(node: list[Any], part: str, where: str) -> int:
    if part.isdecimal() and int(part) < len(node):
        return int(part)
    raise UserError(f"override {where}: {part!r} is not an index below {len(node)}")


def _first_line(error: ValidationError, model: type[Strict]) -> str:
    # A key that is missing may be one that was misspelt.
    first = min(error.errors(), key=lambda each: each["type"] == "missing")
    # What stands in brackets names one of several types that a value may have, not a key.
    key = ".".join(part for part in map(str, first["loc"]) if not part.startswith("<"))
    given = "" if first["type"] in ("missing", "value_error") else f" (got {_short(first['input'])}{_meant(first)})"
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggest(model, first['loc'])}; remove it or correct its spelling{more}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}{given}{more}" if key else f"{message}{more}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _meant(error: ErrorDetails) -> str:
    """Of the values that a key takes, the closest to the one given, as `; did you mean 'x'?`, or nothing."""
    if error["type"] != "literal_error":
        return ""
    known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    close = closest(str(error["input"]), known)
    return "" if close is None else f"; did you mean {close!r}?"


def _suggest(model: Any, location: tuple[Any, ...]) -> str:
    """The closest known key, as ` (did you mean 'x'?)`, or nothing."""
    for part in location[:-1]:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = _group(model.model_fields[part].annotation)
    return did_you_mean(str(location[-1]), getattr(model, "model_fields", {}))


def _group(annotation: Any) -> Any:
    """The settings model inside `tuple[Model, ...]` or `Model | None`."""
    inner = [_group(part) for part in typing.get_args(annotation)]
    return next((part for part in inner if hasattr(part, "model_fields")), annotation)
