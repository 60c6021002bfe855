"""What of a run's files is not what was written: found from the manifest and from the names of ledger files.

Every start compares sizes, from one listing, whatever the ledger's size. Every byte is read where bytes become
something else: problems before they are annotated, the ledger before it is published or built upon. `visualprm doctor`
reads all. Files on an object store, which compares checksums of its own when it stores, keeps and sends them, are
read in full by `doctor` alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import manifest, origin
from pipeline.errors import UserError
from pipeline.records import Problem
from pipeline.store import PENDING_SUFFIX, Store, block_of, named_sum, store_refusal
from pipeline.terminal.speak import say
from stages.annotate.engines import FOLDER as ENGINES

LEDGER, CHECKPOINT, PROBLEMS = "annotations/", "checkpoint/", "problems/"
MEND = "`visualprm dataset` with this run's config mends what can be mended"

Damage = dict[str, str]
"""Names of a run's files, and what is wrong with each: `is missing`, …"""


def find_damage(store: Store, read: tuple[str, ...] = ()) -> Damage:
    """The files of a run that are not what was written.

    Args:
        read: beginnings of names; of these files every byte is read. Of other problems and ledger files the sizes are
            compared. What is small is always read.

    Raises:
        UserError: the manifest is damaged.
    """
    sizes = manifest.sizes_of(store.root, store.filesystem)
    files = {name: block_of(name) for name in sizes if name.startswith(LEDGER) and name.endswith(".parquet")}
    commits = {name.removeprefix(CHECKPOINT) for name in sizes if name.startswith(CHECKPOINT)}
    sums = store.sums()
    bare = []
    for name, block in files.items():
        if (held := named_sum(name)) is None:
            continue
        if f"{block}.parquet" in commits:
            sums[name] = (held,)
        elif block + PENDING_SUFFIX not in commits:
            # Ray leaves a file only with its commit, or with one to come.
            bare.append(f"{CHECKPOINT}{block}.parquet")
    found = manifest.faults(
        store.root,
        sums,
        store.filesystem,
        lambda name: name.startswith(read) or not name.startswith((LEDGER, PROBLEMS)),
        sizes,
    )
    there = {*files.values(), *(block_of(name) for name in found if name.startswith(LEDGER))}
    committed = {name.removesuffix(".parquet") for name in commits if not name.endswith(PENDING_SUFFIX)}
    found |= {f"{LEDGER}{block}.parquet": "is missing" for block in sorted(committed - there)}
    return found | dict.fromkeys(sorted(bare), "is missing")


def all_of(store: Store) -> tuple[str, ...]:
    """What is read before bytes become something else: all, on a disk."""
    return ("",) if store.local else ()


def check_run(store: Store, mend: str = MEND) -> None:
    """For readers.

    Raises:
        UserError: names the first files that are damaged, and the mend.
    """
    if found := find_damage(store, all_of(store)):
        raise UserError(f"{store.uri}: {manifest.told(found)}: {mend}")


@contextlib.contextmanager
def damage_named(store: Store) -> Iterator[None]:
    """Where reading a run fails, says which of its files are damaged.

    Raises:
        UserError: some are; otherwise what was raised.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        if found := find_damage(store, ("",)) or unreadable(store):
            raise UserError(f"{store.uri}: {manifest.told(found)}: {MEND}") from error
        raise


def adopt(store: Store) -> None:
    """Gives a run that has none its manifest, from files that are read in full once; says so in one line.

    Raises:
        UserError: a file that nothing can mend can't be read.
    """
    found: Damage = {}
    with contextlib.suppress(manifest.Damaged):
        if manifest.load(store.root, store.filesystem) is not None or not store.exists("ledger.json"):
            return
        found[manifest.FILE] = "is missing"
    what = "has no manifest" if found else "has a damaged manifest"
    broken = unreadable(store)
    # What a ledger file held can be annotated again.
    kept = {name: manifest.UNREADABLE for name in broken if name.startswith(LEDGER)}
    if fatal := {name: fault for name, fault in broken.items() if name.startswith(PROBLEMS) or "/" not in name}:
        raise UserError(f"{store.uri}: {manifest.told(fatal)}: restore what is named, or give the run another name")
    good = [name for name in _candidates(store) if name not in broken]
    sums = {name: (manifest.sum_of(store.path(name), store.filesystem),) for name in good}
    manifest.save(store.root, {**sums, **kept}, store.filesystem)
    say(f"{store.uri}: {what}: its {len(good):,} files were read in full, and it has one now")


def unreadable(store: Store) -> Damage:
    """The files of a run that can't be read from beginning to end, whatever their sums say; images are compared."""
    return {name: f"can't be read ({fault})" for name in _candidates(store) if (fault := _reading_fault(store, name))}


def unchanged(problem: Problem) -> Problem:
    """The problem, its images compared with the sums that are stored beside them.

    Raises:
        UserError: an image is another now: no draw must be made from it.
    """
    for number, image in enumerate(problem.images):
        if hashlib.sha256(image.data).hexdigest() != image.sha256:
            raise UserError(
                f"problem {problem.problem_id}: image {number} is not the one that was stored: run the same command "
                "again, it reads the sources for it"
            )
    return problem


def _candidates(store: Store) -> list[str]:
    """What a manifest of a run names, or a ledger file's own name has the sum of."""
    committed = {f"{LEDGER}{posixpath.basename(path)}" for path in store.ledger_files()}
    notes = ["config.yaml", "ledger.json", "problems.json", "published.json", "gold.json", "contamination.jsonl"]
    found = [name for name in notes if store.exists(name)]
    for folder in ("problems", "quarantine", ENGINES):
        found += [posixpath.relpath(path, store.root) for path in store.files(folder, "")]
    return [*found, *sorted(committed)]


def _reading_fault(store: Store, name: str) -> str | None:
    try:
        if name.endswith(".parquet"):
            return _parquet_fault(store, name)
        text = store.read_text(name)
        if name.endswith(".json"):
            held = json.loads(text)
            if name.startswith(ENGINES) and posixpath.basename(name) != f"{origin.digest(held)[:12]}.json":
                return "its name is not its content's"
        elif name.endswith(".jsonl"):
            for line in text.splitlines():
                json.loads(line)
        elif not text:
            return "it is empty"
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and store_refusal(error) is not None:
            # It says nothing of the file.
            raise
        return " ".join(str(error).split())[:100]
    return None


def _parquet_fault(store: Store, name: str) -> str | None:
    with pq.ParquetFile(store.path(name), filesystem=store.filesystem) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, use_threads=False)
            rows.validate(full=True)
            if name.startswith(PROBLEMS):
                for row in rows.select(["problem_id", "images"]).to_pylist():
                    for image in row["images"]:
                        if hashlib.sha256(image["data"]).hexdigest() != image["sha256"]:
                            return f"an image of {row['problem_id']} is not the one that was stored"
    return None
