"""Where the inputs lie that settings and commands name: the one lookup for configs, prompts, sources, models.

A relative name is looked for where the command runs, then beside the config that names it (and beside the configs that
this one extends), then in the package, so that an installed `visualprm` works in an empty folder. What is recorded is
the name as it was written: whatever place it was found in, an earlier run resumes. Outputs lie where the command runs.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError

PACKAGED = ("configs", "demo", "prompts")
"""The packages that hold data files, found by import: on a node of a cluster each lies in a folder of its own."""


def located(name: str, beside: Iterable[Path] = ()) -> str:
    """The input `name` as it can be opened: the first of its places where something is.

    The name itself, if it is there as written, or nowhere: it may be an address or a model of the hub.

    Args:
        beside: the folders of the config that names it (`Strict.folders`).
    """
    return next((str(place) for place in _places(name, beside) if os.path.exists(place)), name)


def searched(name: str, beside: Iterable[Path] = ()) -> str:
    """Where a missing input was looked for, for a message: ` (looked for as /work/a.txt and /configs/a.txt)`.

    Empty for an absolute path or an address, which says it itself.
    """
    places = list(dict.fromkeys(os.path.abspath(place) for place in _places(name, beside)))
    return "" if places == [name] or "://" in name else f" (looked for as {' and '.join(places)})"


def read_input(key: str, name: str, beside: Iterable[Path] = ()) -> str:
    """The text of the file `name` that the setting or option `key` asks for.

    Raises:
        UserError: it is nowhere, or can't be read as UTF-8.
    """
    beside = tuple(beside)
    try:
        return Path(located(name, beside)).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{key}: {name}: no such file{searched(name, beside)}; correct the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}: {name} can't be read: {error}") from error


def packaged(name: str) -> Path:
    """The path of a file or folder that ships with the code, such as `prompts/prm_system_v1.txt`."""
    package, _, rest = name.partition("/")
    return Path(importlib.import_module(package).__path__[0], rest)


def _places(name: str, beside: Iterable[Path]) -> Iterator[str | Path]:
    yield name  # as written: `./model` must not become `model`, which could be one of the hub
    yield from (folder / name for folder in beside)
    parts = PurePosixPath(name).parts
    if parts and parts[0] in PACKAGED and ".." not in parts:
        yield packaged("/".join(parts))
