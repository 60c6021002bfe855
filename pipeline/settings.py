"""Settings files: pydantic models that refuse unknown keys, read from YAML with `key.sub=value` overrides."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import UserError


class Strict(BaseModel):
    """A group of settings. Every field's docstring gives its unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def only_if_set() -> Any:
    """None by default, and then no part of what is recorded: what was made before there was the setting stays the same."""
    return Field(default=None, exclude_if=lambda value: value is None)


Settings = TypeVar("Settings", bound=Strict)


def load_settings(model: type[Settings], path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Reads a YAML file, applies `key.sub=value` overrides (values in YAML) and validates.

    `extends: other.yaml`, relative to the file, starts from another file's keys; lists are replaced as a whole.

    Raises:
        UserError: one line that names the file, the key and the mend.
    """
    return parse_settings(model, _read(Path(path)), overrides, str(path))


def parse_settings(
    model: type[Settings], data: dict[str, Any], overrides: Sequence[str] = (), origin: str = "config"
) -> Settings:
    """The settings that keys and values stand for, after the overrides.

    Raises:
        UserError: as `load_settings`.
    """
    for item in overrides:
        override(data, item)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{origin}: {_first_line(error, model)}") from error


def dump_settings(settings: Strict) -> str:
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read(path: Path, extended_by: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a file over those of the file that it extends."""
    if path.resolve() in extended_by:
        raise UserError(f"{path}: extends itself: name another file")
    data = _read_yaml(path)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise UserError(f"{path}: extends: name one file")
    return _merged(_read(path.parent / base, (*extended_by, path.resolve())), data)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            merged[key] = _merged(under[key], over[key])
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such config file; configs/ has some to start from") from None
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
    raise UserError(f"override {where}: {part!r} is no index below {len(node)}")


def _first_line(error: ValidationError, model: type[Strict]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    given = "" if first["type"] in ("missing", "value_error") else f" (got {_short(first['input'])})"
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggest(model, first['loc'])}; remove it or correct its spelling{more}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message}{given}{more}" if key else f"{message}{more}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest(model: Any, location: tuple[Any, ...]) -> str:
    """The closest known key, as ` (did you mean 'x'?)`, or nothing."""
    for part in location[:-1]:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            model = _group(model.model_fields[part].annotation)
    close = difflib.get_close_matches(str(location[-1]), list(getattr(model, "model_fields", {})), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _group(annotation: Any) -> Any:
    """The settings model inside `tuple[Model, ...]` or `Model | None`."""
    inner = [_group(part) for part in typing.get_args(annotation)]
    return next((part for part in inner if hasattr(part, "model_fields")), annotation)
