"""Mends what is damaged in a run, as far as it can be made again: by the same settings, sources and engine.

What is made again takes its place only if its bytes have the sum that the manifest holds, or if it is annotated again.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import atomic, manifest
from pipeline.atomic import Sum
from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.store import Store, block_of, named_sum
from pipeline.terminal.speak import say
from stages.annotate.damage import CHECKPOINT, LEDGER, PROBLEMS, Damage, find_damage
from stages.annotate.engines import FOLDER as ENGINES
from stages.annotate.engines import note_again
from stages.annotate.settings_lock import settings_texts

ASIDE = "again"
"""Where sources are read again."""
_PUBLISHED = ("published.json", "quarantine/annotate.jsonl", "reverified/")
"""What publishing writes into the run."""
_LOADED = (PROBLEMS, "problems.json", "quarantine/load.jsonl", "gold.json", "contamination.jsonl")
"""What reading the sources writes."""
_BY_SETTINGS = ("config.yaml", "ledger.json")

Load = Callable[[Store], None]
"""Reads the problems into another run directory, as they were read for this one."""


def mend(
    store: Store,
    config: RunConfig,
    templates: Mapping[str, str],
    model: str,
    load: Load,
    read: tuple[str, ...] = (),
) -> bool:
    """Looks at a run and mends it; says in one line what. Returns whether problems became pending.

    Args:
        read: as for `find_damage`.

    Raises:
        UserError: something can't be mended; names it.
    """
    found = find_damage(store, read)
    if not found:
        return False
    ledger = {name: fault for name, fault in found.items() if name.startswith(LEDGER)}
    published = [name for name in found if name.startswith(_PUBLISHED)]
    engines = [name for name in found if name.startswith(ENGINES)]
    settings = [name for name in found if name in _BY_SETTINGS]
    loaded = [name for name in found if name.startswith(_LOADED)]
    commits = [name for name in found if name.startswith(CHECKPOINT)]
    known = {*ledger, *published, *engines, *settings, *loaded, *commits}
    if others := {name: found[name] for name in found if name not in known}:
        raise UserError(f"{store.uri}: {manifest.told(others)}: nothing can make it again: restore it")
    # First what may not be mendable: then nothing else is touched.
    if settings:
        _write_again(store, settings_texts(config, dict(templates), model), {name: found[name] for name in settings})
    if loaded:
        _load_again(store, load, {name: found[name] for name in loaded})
    for name in engines:
        note_again(store, config, model, name)
    if published:
        store.forget(*published, "published.json")
        if store.exists("published.json"):
            store.remove("published.json")
    for name in commits:
        _commit_again(store, posixpath.basename(name).removesuffix(".parquet"))
    if ledger:
        _annotate_again(store, ledger)
    told = manifest.told({name: fault for name, fault in found.items() if name not in ledger})
    if told:
        say(f"{store.uri}: {told}: made again")
    return bool(ledger)


def _annotate_again(store: Store, ledger: Damage) -> None:
    for name in ledger:
        store.withdraw(block_of(name))
        # Of a file from before sums were in names.
        store.forget(name)
    kept = "; what is left of them is in damaged/" if store.exists("damaged") else ""
    say(f"{store.uri}: {manifest.told(ledger)}: their problems are annotated again{kept}")


def _write_again(store: Store, texts: Mapping[str, str], found: Damage) -> None:
    sums = store.sums()
    for name, fault in found.items():
        content = texts[name].encode()
        if Sum(len(content), hashlib.sha256(content).hexdigest()) not in sums[name]:
            raise UserError(
                f"{store.address(name)} {fault}, and these settings are not those that it held: give those of the last "
                "call, or restore the file"
            )
    for name in found:
        store.write_text(name, texts[name])


def _load_again(store: Store, load: Load, found: Damage) -> None:
    """Reads the sources again beside, and takes from there what is what was written."""
    told = manifest.told(found)
    say(f"{store.uri}: {told}: the sources are read again")
    aside = Store(store.address(ASIDE))
    store.clear(ASIDE)
    try:
        if "gold.json" not in found and store.exists("gold.json"):
            aside.write_text("gold.json", store.read_text("gold.json"))
        load(aside)
        sums, again = store.sums(), aside.sums()
        for name in found:
            if not set(again.get(name, ())) & set(sums[name]):
                raise UserError(
                    f"{store.address(name)} {found[name]}, and the sources now give something else: restore the file, "
                    "or what the sources were, or give the run another name"
                )
        for name in found:
            store.filesystem.create_dir(posixpath.dirname(store.path(name)), recursive=True)
            store.filesystem.move(aside.path(name), store.path(name))
        atomic.sync(store.path(PROBLEMS), store.filesystem)
    finally:
        store.clear(ASIDE)


def done_ids(store: Store, problems: set[str]) -> set[str]:
    """The problems that are done. Commits that don't say what their ledger file holds are written again.

    They are compared only where something is wrong: one can't be read, or names a problem that there is not.
    """
    try:
        done = store.done_ids()
        if done <= problems:
            return done
    except (OSError, ValueError, pa.ArrowException):
        pass  # `_mend_commits` finds which one, and says so.
    _mend_commits(store)
    return store.done_ids()


def commit_faults(store: Store) -> Damage:
    """The commits that can't be read, or don't name the problems of their ledger file."""
    found: Damage = {}
    held: dict[str, set[Any]] = {}
    for path in store.ledger_files():
        held.setdefault(block_of(path), set()).update(_ids(store, path))
    for block, ids in held.items():
        try:
            same = _ids(store, store.commit_path(block)) == ids
            fault = None if same else "does not name the problems of its ledger file"
        except (OSError, ValueError, pa.ArrowException):
            fault = "can't be read"
        if fault:
            found[f"{CHECKPOINT}{block}.parquet"] = fault
    return found


def _mend_commits(store: Store) -> None:
    found = commit_faults(store)
    for name in found:
        _commit_again(store, posixpath.basename(name).removesuffix(".parquet"))
    if found:
        say(f"{store.uri}: {manifest.told(found)}: written again from the ledger")


def _commit_again(store: Store, block: str) -> None:
    """From the ledger file, where that is what was written; otherwise nothing says so, and its problems are pending."""
    files = [path for path in store.files("annotations", ".parquet") if block_of(path) == block]
    if any((held := named_sum(path)) and held != manifest.sum_of(path, store.filesystem) for path in files):
        store.withdraw(block)
        return
    ids = pa.table({"problem_id": sorted({one for path in files for one in _ids(store, path)})})
    with store.new_commit(block) as out:
        pq.write_table(ids, out)


def _ids(store: Store, path: str) -> set[Any]:
    with pq.ParquetFile(path, filesystem=store.filesystem) as file:
        return set(file.read(columns=["problem_id"])["problem_id"].to_pylist())
