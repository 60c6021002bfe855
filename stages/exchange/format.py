"""What a file format is here: how its records become rows, how rows become its records, and what can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.publish.kept import Kept

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user of `visualprm import` chose.

    `images` names the image folder or zip, `drop` the components in front of each path that aren't there, both
    found by themselves otherwise. `single_turn` takes conversations with one label too. A step is `+` if its
    score is above `threshold`.
    """

    images: str | None = None
    drop: int | None = None
    single_turn: bool = False
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the user of `visualprm export` chose.

    `threshold` replaces the published labels; `cut` ends a conversation after its first `-`; `system` is the system
    turn of rows that brought none along; `name` names the dataset. Two are no choices: `early_stop` says that the dataset
    was drawn no further than each solution's first step without a success, `kind` of which kind its labels are.
    """

    name: str
    system: str
    threshold: float | None = None
    cut: bool = False
    early_stop: bool = False
    kind: str = "mc"


@dataclass(frozen=True, slots=True)
class Read:
    """A record as the published columns, but for those that name it and its images.

    `rendered` is the record that these columns give again: what it holds besides is kept. `system` is its system turn.
    `images` are its images' paths where they stand elsewhere than in `image`.
    """

    columns: Mapping[str, Any]
    rendered: Mapping[str, Any]
    system: str | None = None
    images: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How records are read.

    `holds` says in the help what tells them from others, `released` in a card what corpora they are; `read` raises
    `RowError` for a record that can't be used. A file's name without its suffix, and without `ending` where it has
    that, is its source. `scored` says whether labels follow from scores that the records hold.
    """

    read: Callable[[Mapping[str, Any], ImportOptions], Read]
    holds: str
    released: str
    ending: str = ""
    scored: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A record, the file it belongs to, and its place there: lines are sorted by `key`, then as they came."""

    file: str
    record: dict[str, Any]
    key: tuple[Any, ...] = ()


def same_name(name: str) -> str:
    """An image's name in records as its file's name below the output folder."""
    return name


def below_images(_dataset: str, name: str) -> str:
    """An image's own name as records give it."""
    return f"images/{name}"


def no_documents(_name: str, _out: str, _counts: Mapping[str, int]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """How rows are written.

    `line` makes a row's record, given its origin and the names of its images as they stand in the record: a path,
    a list of paths, or null; it raises `RowError` for a row that the format can't say. `heeds` are the options of
    `visualprm export` that it has a place for. `image_file` says where the image of such a name lies below the output
    folder, `own_name` how an image is named that brought no name along. `keeps_names`: rows from elsewhere keep the
    names that their images had. `documents` are the texts of other files, from the dataset's name, the output folder
    and the number of lines in each file.
    """

    line: Callable[[Row, Kept | None, Any, ExportOptions], Line]
    heeds: frozenset[str] = frozenset()
    image_file: Callable[[str], str] = same_name
    keeps_names: bool = False
    own_name: Callable[[str, str], str] = below_images
    documents: Callable[[str, str, Mapping[str, int]], Mapping[str, str]] = no_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format. `copies`: an export to it copies the dataset's files as they are, so it needs no writer."""

    reader: Reader | None = None
    writer: Writer | None = None
    copies: bool = False


def listed(image: Any) -> Sequence[str]:
    """The names of a row's images, which are a path, a list of paths, or null."""
    return [] if image is None else [image] if isinstance(image, str) else list(image)
