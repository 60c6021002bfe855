"""A model of settings as a list of keys: type, default and meaning, from its fields and their docstrings."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.registry import Registry

_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null", Any: "any value"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `default` is YAML on one line, None where the key must be given; `meaning` names the unit."""

    key: str
    type: str
    default: str | None
    meaning: str


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """All keys of a model in the order of its fields; `N` stands for an index and `NAME` for a name."""
    return list(_keys(model, "", {}))


def _keys(model: type[BaseModel], prefix: str, known: dict[type[BaseModel], str]) -> Iterator[Setting]:
    """A group that was described under another key is named, not described again."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        group, suffix = _group(field.annotation)
        if group is None:
            yield Setting(key, _type(field.annotation, field.metadata), _default(field), _one_line(field.description))
            continue
        meaning = _one_line(field.description or group.__doc__)
        if group in known:
            yield Setting(key, f"{_container(suffix)}as {known[group]}", _default(field), meaning)
            continue
        if suffix or field.default is None or field.is_required() or field.description:
            yield Setting(key, f"{_container(suffix)}see below", _default(field), meaning)
        known = {**known, group: key + suffix}
        yield from _keys(group, f"{key}{suffix}.", known)


def _container(suffix: str) -> str:
    return {".N": "list of groups of keys, ", ".NAME": "groups of keys by name, "}.get(suffix, "group of keys, ")


def _group(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside `Model`, `Model | None`, `tuple[Model, ...]` or `dict[str, Model]`, and how its keys are reached."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType) and len(inner := [a for a in arguments if a is not type(None)]) == 1:
        return _group(inner[0])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis and _group(arguments[0])[0]:
        return _group(arguments[0])[0], ".N"
    if origin is dict and _group(arguments[1])[0]:
        return _group(arguments[1])[0], ".NAME"
    return None, ""


def _type(annotation: Any, metadata: typing.Sequence[Any] = ()) -> str:
    """A type in words, with the bounds of its values."""
    bounds = [
        f"{sign} {bound}"
        for each in metadata
        for name, sign in _BOUNDS.items()
        if (bound := getattr(each, name, None)) is not None
    ]
    words = _registered(metadata) or _alternatives(annotation)
    if bounds:
        # They are said of the value, not of its absence.
        last = -2 if words[-1] == "null" else -1
        words[last] = f"{words[last]} {' and '.join(bounds)}"
    return _either(words)


def _registered(metadata: typing.Sequence[Any]) -> list[str]:
    """The names of a registry, where one checks the value."""
    owners = (getattr(getattr(each, "func", None), "__self__", None) for each in metadata)
    return [str(name) for owner in owners if isinstance(owner, Registry) for name in owner.entries()]


def _alternatives(annotation: Any) -> list[str]:
    """The values or types that an annotation takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return list(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return [word for each in arguments for word in _alternatives(each)]
    return [_single(annotation)]


def _single(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        told = [part for each in arguments[1:] for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
        return _type(arguments[0], told)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {_bracketed(_type(arguments[0]))}"
    if origin is tuple:
        return f"list of {len(arguments)} ({', '.join(map(_type, arguments))})"
    if origin is dict:
        return "keys and values" if arguments[1] is Any else f"keys and values ({_type(arguments[1])})"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = (f"{name}: {_type(each.annotation, each.metadata)}" for name, each in annotation.model_fields.items())
        return f"{{{', '.join(fields)}}}"
    return _WORDS[annotation]


def _bracketed(words: str) -> str:
    return f"({words})" if " or " in words else words


def _either(words: typing.Iterable[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True)
    # The defaults of a group are those of its keys.
    return "{}" if isinstance(value, BaseModel) else json.dumps(value, ensure_ascii=False)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
