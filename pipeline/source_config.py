"""The settings of one source: where its rows are, what their columns mean and how their answers are judged.

And the short form of lists of sources, for benchmarks that come as many files which are alike.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.records import GoldReading
from pipeline.registry import Registry
from pipeline.settings import Strict, only_if_set

_MODES: Registry[Any] = Registry("stages.verify.modes:MODES")
ModeName = Annotated[str, BeforeValidator(_MODES.check)]
Place = str | tuple[str, ...]
"""A place in a row, or several."""


class Fields(Strict):
    """Where a source's rows hold what we need.

    Each is a column (`query`), a path (`json.question`, `turns.0.value`, `turns.role=user.content`, `choices.*.text`) or a
    text with such places in braces (`{split}/{image_id:012d}.jpg`). Rows of objects have their key as `_key`, rows of
    several files their file's folder and name as `_folder` and `_stem`.
    """

    id: str = "id"
    """The row's name in its source; without one, the row number serves."""
    question: Place = "question"
    """The question; every `<image>` in it stands for one image. Several places give a line each, if they hold text."""
    answer: str = "answer"
    """The right answer."""
    image: Place = "image"
    """A path, bytes, base64 text, a `{"bytes": …}` or `{"path": …}` object, or a list of these. Several
    places give the images that are present."""
    options: Place | None = "options"
    """The options of a multiple-choice question, A first: texts or pictures; several places hold one each; `null` if
    the policy must not see any."""
    source: str | None = None
    """The place of a name that refines the source's, for a source with parts."""

    @field_validator("id", "question", "answer", "image", "options", "source")
    @classmethod
    def _readable(cls, value: Place | None) -> Place | None:
        for place in (value,) if isinstance(value, str) else value or ():
            check_place(place)
        return value


class JoinConfig(Strict):
    """A second file, each row of which belongs to the row of the source that has the same key."""

    path: str
    """A file, or a pattern that fits several."""
    by: str | dict[str, str]
    """The column that both have (`question_id`), or both names: `{image_id: id}`, the source's first."""
    rows: str | None = None
    """Where the file holds its rows, as the source's `rows`."""
    members: str | None = None
    """Which members of an archive are read, as the source's `members`."""

    @model_validator(mode="after")
    def _one_key(self) -> JoinConfig:
        if isinstance(self.by, dict) and len(self.by) != 1:
            raise ValueError("`by` is one column, or one pair of columns")
        return self

    @property
    def own_key(self) -> str:
        return self.by if isinstance(self.by, str) else next(iter(self.by))

    @property
    def other_key(self) -> str:
        return self.by if isinstance(self.by, str) else next(iter(self.by.values()))


class AtLeast(Strict):
    """How many of a row's references an answer must equal."""

    at_least: int = Field(ge=1)
    """Of VQAv2's ten answers: 3."""


class SourceConfig(Strict):
    """One benchmark: a file of rows, a Hugging Face dataset, or a Python function that yields rows."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+_./-]*$")
    """The name in the `source` column."""
    path: str | None = None
    """A `.jsonl`, `.json`, `.parquet`, `.csv` or `.tsv` file, a `.tar` of WebDataset samples, any of them compressed
    (`.gz`); a `.zip` of such files; or a pattern that matches several (`train/**/data.json`)."""
    function: str | None = None
    """`module:function`, which yields a dict for every problem."""
    dataset: str | None = None
    """A Hugging Face dataset: a local folder, or a hub id, which is streamed."""
    dataset_config: str | None = None
    """The configuration (subset) of `dataset`."""
    split: str = "train"
    """The split of `dataset`."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of `function`."""
    images: str | None = None
    """The folder, `.zip` or `.tar` file that image paths are relative to; the rows' own folder by default."""
    fields: Fields = Fields()
    """The field map."""
    rows: str | None = only_if_set()
    """Where a JSON value holds the rows: a key (`questions`), `*` for every value of an object or list, a path of these
    (`data.*.qas`), `.` for the value itself. By default it is a list, or has one as `data`."""
    members: str | None = only_if_set()
    """Which members of an archive hold rows (`*/data.json`); by default all with the ending of such a file."""
    join: dict[str, JoinConfig] | None = only_if_set()
    """Other files by name; each row gets its partner as a column of that name (`fields: {answer: gold.answer}`)."""
    borrow_images: str | None = only_if_set()
    """A key column: a row whose image is another row's key gets that row's picture."""
    separator: str | None = only_if_set()
    """What separates the items of lists that are plain text, in options and images (`cat|dog`)."""
    answer_pattern: str | None = only_if_set()
    """A regular expression; the first group of its last match in the answer's text is the answer (`#### (.+)`)."""
    booleans: tuple[str, str] | None = only_if_set()
    """What true and false mean as answers, such as `["Yes", "No"]`, also if they are texts."""
    verify: tuple[ModeName, ...] = ("choice", "number", "math", "text")
    """Verification modes; a row's own `verify` field comes first."""
    gold: GoldReading | Literal["auto"] = Field(default="auto", exclude_if=lambda value: value == "auto")
    """What the answer of a multiple-choice question is: a `letter`, the `text` of an option, or its index from 0 or 1
    (`index0`, `index1`); `auto` takes the one reading that fits all rows with options, and refuses the source if
    there is none or more than one."""
    references: Literal["any", "all"] | AtLeast | None = only_if_set()
    """What a list of answers means: a response is right if it equals `any` of them, `all` of them, or at least n of
    them (`{at_least: n}`); without this setting, rows with lists are refused."""
    max_tiles: int = Field(default=6, ge=1)
    """The most tiles that an image is cut into, for models that tile (InternVL)."""
    max_pixels: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """The most pixels that an image has after it was scaled down, for models that count them (Qwen-VL); without it, the
    model's own limit."""
    prompt: str | None = None
    """A prompt file for this source alone."""
    limit: int | None = Field(default=None, ge=1)
    """The most rows to take, evenly spaced."""
    cut_endings: tuple[str, ...] = ()
    """Texts to cut from the end of a question, such as a wish for a short answer, which contradicts our prompt."""

    @field_validator("answer_pattern")
    @classmethod
    def _has_a_group(cls, value: str | None) -> str | None:
        try:
            groups = re.compile(value).groups if value is not None else 1
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
        if groups < 1:
            raise ValueError(f"{value!r} has no group: put the answer's part in brackets")
        return value

    @field_validator("booleans", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        """YAML reads `[Yes, No]` as `[true, false]`."""
        listed = isinstance(value, (list, tuple))
        return (
            [{True: "Yes", False: "No"}[item] if isinstance(item, bool) else item for item in value]
            if listed
            else value
        )

    @model_validator(mode="after")
    def _one_door(self) -> SourceConfig:
        if [self.path, self.function, self.dataset].count(None) != 2:
            raise ValueError(f"source {self.name!r} needs `path`, `function` or `dataset`: give exactly one")
        if self.kwargs and self.function is None:
            raise ValueError(f"source {self.name!r} has `kwargs` but no `function`: remove them")
        if self.dataset_config is not None and self.dataset is None:
            raise ValueError(f"source {self.name!r} has `dataset_config` but no `dataset`: remove it")
        if self.references == "all" and not {"list", "choice"} & set(self.verify):
            raise ValueError(f"source {self.name!r}: `references: all` needs `list` or `choice` in `verify`: add it")
        if self.references == "all" and "anls" in self.verify:
            raise ValueError(
                f"source {self.name!r}: `anls` takes any item of a list, `references: all` needs all: remove one"
            )
        if self.members is not None and self.path is None:
            raise ValueError(f"source {self.name!r} has `members` but no `path`: remove it")
        if self.borrow_images is not None and not isinstance(self.fields.image, str):
            raise ValueError(f"source {self.name!r} has `borrow_images`, which needs one column as `fields.image`")
        return self


def check_place(place: str) -> None:
    """Raises ValueError if a text with places in braces can't be understood."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(place) if name is not None]
    except ValueError as error:
        raise ValueError(f"{place!r}: {error}") from error
    if "" in names:
        raise ValueError(f"{place!r}: name a column between the braces")


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
