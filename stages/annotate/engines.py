"""What drew the ledger: kind, model and versions of its engines, each noted in the run directory by the engine itself.

A note is named by what it says, so that restarts and replicas add none: `engines/<12 hex digits>.json`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline import manifest, origin
from pipeline.config import RunConfig, SplitConfig
from pipeline.engine import Engine
from pipeline.errors import UserError
from pipeline.store import Store
from pipeline.terminal.speak import say
from pipeline.version import version, versions
from stages.split import opens

FOLDER = "engines"


def known_split(config: RunConfig, engine: Engine) -> SplitConfig:
    """How solutions are cut, once it is known what the policy's chat template writes of them."""
    how = config.split
    if how.part == "all" or how.opened is not None:
        return how
    # Another policy, with a template of its own, wrote the responses that are given.
    opened = config.input.responses is None and opens(engine.opening)
    return how.model_copy(update={"opened": opened})


def note_engine(
    store: Store,
    config: RunConfig,
    model: str,
    ours: str | None,
    opened: bool | None = None,
    elsewhere: Mapping[str, str | None] | None = None,
) -> None:
    """Called where the engine runs.

    Args:
        ours: the version of this package at the driver, since nodes may not have it.
        opened: whether solutions begin inside the thinking; null where nobody asks.
        elsewhere: of an engine that asks servers: what these run on, as far as they say.
    """
    drawing = config.engine.kind == "vllm"
    found = {name: text if drawing or name == "ray" else None for name, text in versions().items()}
    found |= elsewhere or {}
    try:
        _note(store, config, model, {"visualprm": ours or version(), **found}, opened)
    except (OSError, UserError) as error:
        # As for the counters: the ledger matters more, and the card then says that this is not known.
        say(f"the engine's versions could not be noted: {error}")


def note_earlier_engines(store: Store, config: RunConfig, model: str) -> None:
    """Of a ledger that was begun before engines were noted it is known what drew it, but no version."""
    if not store.files(FOLDER, ".json"):
        _note(store, config, model, None)


def copy_engines(store: Store, earlier: Store) -> None:
    """Those of a run whose draws are taken over."""
    for path in earlier.files(FOLDER, ".json"):
        name = posixpath.join(FOLDER, posixpath.basename(path))
        store.write_text(name, earlier.read_text(name))


def engines(store: Store, config: RunConfig) -> list[dict[str, Any]]:
    """The engines that drew a run's ledger, as JSON values: `kind`, `model` (its name, or name and hash), `versions`.

    `versions` is null where they were not noted.
    """
    noted = [store.read_json(FOLDER, posixpath.basename(path)) for path in store.files(FOLDER, ".json")]
    if noted:
        return noted
    held = origin.noted(store, "ledger.json", "restore this file") or {}
    return [{"kind": config.engine.kind, "model": held.get("engine.model", config.engine.model), "versions": None}]


def noted_split(store: Store, config: RunConfig) -> SplitConfig:
    """How a run's solutions were cut, with what its engines noted of the policy's chat template."""
    how = config.split
    if how.part == "all" or how.opened is not None:
        return how
    return how.model_copy(update={"opened": noted_opened(engines(store, config))})


def noted_opened(notes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an engine noted that its policy's chat template opens the thinking."""
    return any(note.get("opened") for note in notes)


def keep_notes(store: Store) -> None:
    """The driver puts the notes of its engines into the manifest, once they have ended."""
    names = [f"{FOLDER}/{posixpath.basename(path)}" for path in store.files(FOLDER, ".json")]
    if new := [name for name in names if name not in store.sums()]:
        store.note({name: (manifest.sum_of(store.path(name), store.filesystem),) for name in new})


def note_again(store: Store, config: RunConfig, model: str, name: str) -> None:
    """Replaces a damaged note: by the same one if these versions drew, else by one that says that they are not known."""
    store.forget(name)
    if store.exists(name):
        store.remove(name)
    # What the engine found of its policy's chat template is known by the note's name, which is a hash.
    for opened in (None, False, True):
        note_engine(store, config, model, None, opened)
        if store.exists(name):
            break
        for path in store.files(FOLDER, ".json"):
            if (new := f"{FOLDER}/{posixpath.basename(path)}") not in store.sums():
                store.remove(new)
    else:
        _note(store, config, model, None)
    keep_notes(store)


def _note(
    store: Store, config: RunConfig, model: str, found: dict[str, str | None] | None, opened: bool | None = None
) -> None:
    note: dict[str, Any] = {"kind": config.engine.kind, "model": model, "versions": found}
    if opened is not None:
        note["opened"] = opened
    store.write_json(f"{FOLDER}/{origin.digest(note)[:12]}.json", note)
