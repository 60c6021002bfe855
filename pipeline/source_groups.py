"""The short form of lists of sources, for benchmarks that come as many files which are alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def expand_sources(data: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with one full entry for each source in `sources` and `contamination.against`.

    The keys of `source_defaults` hold for every entry of `sources` that does not have its own. An entry with a list
    of `names` stands for one entry each. `{name}` in an entry's texts is its name.

    Raises:
        ValueError: `names` is not a list of texts, or stands beside a `name`.
    """
    rest = dict(data)
    defaults = rest.pop("source_defaults", None) or {}
    if not isinstance(defaults, Mapping):
        raise ValueError("source_defaults: expected keys and values, as an entry of `sources` has")
    if "sources" in rest:
        rest["sources"] = _expanded(rest["sources"], defaults)
    if isinstance(screen := rest.get("contamination"), Mapping):
        rest["contamination"] = {**screen, "against": _expanded(screen.get("against", []), {})}
    return rest


def _expanded(entries: Any, defaults: Mapping[str, Any]) -> Any:
    """Leaves a value that is not a list as it is: the settings model refuses it."""
    if not isinstance(entries, list):
        return entries
    return [entry for short in entries for entry in _entries(short, defaults)]


def _entries(short: Any, defaults: Mapping[str, Any]) -> Iterator[Any]:
    if not isinstance(short, Mapping):
        yield short  # for the model to refuse, with the entry's number
        return
    entry = {**defaults, **short}
    names = entry.pop("names", None)
    if names is None:
        yield _named(entry)
        return
    if "name" in entry or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("sources: `names` is a list of texts, in place of `name`")
    for name in names:
        yield _named({"name": name, **entry})


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    name = str(entry.get("name", "{name}"))
    return {key: value.replace("{name}", name) if isinstance(value, str) else value for key, value in entry.items()}
