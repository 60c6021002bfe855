"""`visualprm doctor`: whether a folder of ours holds what was written. It reads every byte, and changes nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline import manifest
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.damage import LEDGER, find_damage, unreadable
from stages.annotate.mend import commit_faults
from stages.train.checkpoints import checkpoints, damage

WHOLE, MENDABLE, LOST = 0, 1, 2
"""Exit statuses: nothing is damaged; the command that wrote the folder mends what is; a person must."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file, and who can mend it: a command or, without one, a person."""

    name: str
    fault: str
    mend: str | None


def examine(path: str) -> tuple[int, str]:
    """The exit status, and lines for a person.

    Raises:
        UserError: nothing of ours is there.
    """
    store = Store(path)
    kind, look = _kind(store)
    found, read = look(store)
    if not found:
        return WHOLE, f"{path}: {kind}: {read}"
    lines = [f"{path}: {kind}: {len(found):,} of its files are damaged"]
    lines += [f"  {one.name} {one.fault}: {one.mend or 'nothing can make it again: restore it'}" for one in found]
    return (MENDABLE if all(one.mend for one in found) else LOST), "\n".join(lines)


Look = Callable[[Store], tuple[list[Finding], str]]


def _kind(store: Store) -> tuple[str, Look]:
    if any(store.exists(name) for name in ("ledger.json", "problems.json", "annotations")):
        return "a run", _run
    if store.exists("checkpoints") or store.exists("train.yaml"):
        return "a training", _training
    if store.exists("pool.json"):
        return "a pool of candidates", _pool
    if store.exists("prm_config.json"):
        return "a reward model", _folder("`visualprm train` writes it again from its last checkpoint")
    if store.exists(manifest.FILE) or store.exists("stats.json") or store.files("", ".parquet"):
        return "a dataset", _folder("`visualprm dataset` or `visualprm publish` of its run writes it again")
    raise UserError(f"{store.uri}: holds nothing that visualprm wrote: name a run, a dataset, a training or a model")


def _run(store: Store) -> tuple[list[Finding], str]:
    found = {**_by_manifest(store), **unreadable(store)}
    # A ledger file that can't be read is found already.
    with suppress(OSError, ValueError):
        found |= commit_faults(store)
    again = "`visualprm dataset` makes it again"
    mends = {LEDGER: "`visualprm dataset` annotates its problems again"}
    findings = [
        Finding(name, fault, next((mend for start, mend in mends.items() if name.startswith(start)), again))
        for name, fault in sorted(found.items())
    ]
    return findings, _read(store, len(store.ledger_files()) + len(store.problem_files()))


def _by_manifest(store: Store) -> dict[str, str]:
    try:
        return find_damage(store, ("",))
    except UserError:
        return {manifest.FILE: "is damaged"}


def _folder(mend: str) -> Look:
    def look(store: Store) -> tuple[list[Finding], str]:
        found = manifest.folder_faults(store.root, store.filesystem)
        names = [posixpath.relpath(path, store.root) for path in store.files("", "")]
        if found is None:
            return [], f"it has no manifest, so its {len(names):,} files can't be compared with what was written"
        return [Finding(name, fault, mend) for name, fault in found.items()], _read(store, len(names) - 1)

    return look


def _pool(store: Store) -> tuple[list[Finding], str]:
    from stages.best_of_n.pool import Pool

    try:
        Pool(store.uri)
    except UserError as error:
        return [Finding("pool.json", f"and its files don't agree ({error})", None)], ""
    return [], "its content has the hash that pool.json states"


def _training(store: Store) -> tuple[list[Finding], str]:
    """A checkpoint is mendable: a training resumes from an earlier one that is whole, or starts over."""
    folder, found = Path(store.root), []
    places = checkpoints(folder)
    for path in places:
        workers = max(1, len(list(path.glob("rng_state_*.pth"))))
        if fault := damage(path, workers):
            mend = "`visualprm train` resumes from an earlier one"
            found.append(Finding(f"checkpoints/{path.name}", f"can't be used ({fault})", mend))
    if found and len(found) == len(places):
        found = [Finding(one.name, one.fault, None) for one in found]
    for samples in sorted(folder.glob("samples-*")):
        for name, fault in (manifest.folder_faults(str(samples)) or {}).items():
            found.append(Finding(f"{samples.name}/{name}", fault, "`visualprm train` prepares it again"))
    return found, f"its {len(places):,} checkpoints are whole"


def _read(store: Store, count: int) -> str:
    return f"{count:,} files are what was written"
