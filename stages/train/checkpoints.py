"""The checkpoints of a training: which of them are whole, and which one it resumes from.

A checkpoint that lacks its optimiser, or a file of which was cut, would be resumed from to another model without a word.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pipeline import manifest
from pipeline.errors import UserError

STATE = "trainer_state.json"
"""Written last: a checkpoint that a kill cut short has none."""
_NAME = re.compile(r"checkpoint-(\d+)")
_WEIGHTS = ("model.safetensors", "adapter_model.safetensors")
_INDEX = "model.safetensors.index.json"
_SHARDED = ("pytorch_model_fsdp", "global_step")
"""Of folders with weights in parts: FSDP, DeepSpeed."""
_ARCHIVES = (".pt", ".pth", ".bin")
"""Files of torch, which carry checksums of their own."""


def checkpoints(run_dir: Path) -> list[Path]:
    """Those of a run directory, the newest first, whether they are whole or not."""
    named = [path for path in run_dir.glob("checkpoints/checkpoint-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(named, key=lambda path: int(path.name.split("-")[1]), reverse=True)


def holds_checkpoints(run_dir: Path) -> bool:
    """Is there one that was written to its end?"""
    return any((path / STATE).is_file() for path in checkpoints(run_dir))


def resume_point(run_dir: Path, workers: int) -> tuple[Path | None, str]:
    """The newest checkpoint that is whole, None for the beginning; and a line for a person, empty where there is none.

    Raises:
        UserError: there were checkpoints, and none of them can be resumed from.
    """
    skipped: list[str] = []
    lost: Path | None = None
    for path in checkpoints(run_dir):
        fault = damage(path, workers)
        if fault is None:
            why = f" ({'; '.join(skipped)})" if skipped else ""
            return path, f"resuming from {path.name}{why}"
        skipped.append(f"{path.name} can't be used: {fault}")
        if lost is None and (path / STATE).is_file():
            lost = path
    if lost is not None:
        raise UserError(
            f"{run_dir}/checkpoints: {'; '.join(skipped)}: restore the file, or remove this folder to start over"
        )
    return None, f"starting over ({'; '.join(skipped)})" if skipped else ""


def damage(folder: Path, workers: int) -> str | None:
    """Why a checkpoint of a training with so many workers can't be resumed from; None if it can.

    Files of torch carry checksums, which are compared; the others have theirs in the manifest. A checkpoint of before
    there were manifests has none: of its safetensors the header and the size are compared.
    """
    return next(_faults(folder, workers), None)


def note_sums(folder: Path) -> None:
    """Gives a new checkpoint a manifest with the sums of the files that carry none. They are read for it, once."""
    names = [name for name in manifest.sizes_of(str(folder)) if not name.endswith((*_ARCHIVES, manifest.FILE))]
    manifest.save(str(folder), {name: (manifest.sum_of(str(folder / name)),) for name in names})


def _faults(folder: Path, workers: int) -> Iterator[str]:
    state = _object(folder / STATE)
    if state is None:
        yield f"{STATE} is {_missing_or_damaged(folder / STATE)}"
    elif f"checkpoint-{state.get('global_step')}" != folder.name:
        yield f"{STATE} is of step {state.get('global_step')}"
    yield from _faults_of_weights(folder)
    yield from (f"{name} {fault}" for name, fault in (manifest.folder_faults(str(folder)) or {}).items())
    names = {path.name for path in folder.iterdir()}
    in_parts = any(name.startswith("global_step") for name in names)
    if not in_parts and not any(
        name in ("optimizer.pt", "optimizer.bin") or (name.startswith("optimizer") and (folder / name).is_dir())
        for name in names
    ):
        yield "optimizer.pt is missing"
    needed = ["rng_state.pth"] if workers == 1 else [f"rng_state_{rank}.pth" for rank in range(workers)]
    for name in needed if in_parts else [*needed, "scheduler.pt"]:
        if name not in names:
            yield f"{name} is missing"
    for path in sorted(folder.rglob("*")):
        if path.suffix in (*_ARCHIVES, ".distcp") and not _is_whole(path):
            yield f"{path.relative_to(folder)} is damaged"


def _faults_of_weights(folder: Path) -> Iterator[str]:
    from safetensors import SafetensorError, safe_open

    files = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    if (folder / _INDEX).exists():
        places = (_object(folder / _INDEX) or {}).get("weight_map")
        if not isinstance(places, dict) or not places:
            yield f"{_INDEX} is damaged"
            return
        files += [folder / name for name in sorted(set(places.values()))]
    if not files and not any(path.name.startswith(_SHARDED) for path in folder.iterdir()):
        yield f"{_WEIGHTS[0]} is missing"
    for file in files:
        try:
            with safe_open(file, "np"):
                pass
        except FileNotFoundError:
            yield f"{file.name} is missing"
        except (OSError, SafetensorError):
            yield f"{file.name} is damaged"


def _object(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _missing_or_damaged(path: Path) -> str:
    return "damaged" if path.is_file() else "missing"


def _is_whole(path: Path) -> bool:
    """Do the checksums hold in an archive that torch wrote?"""
    if path.suffix == ".distcp":
        return path.stat().st_size > 0
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error):
        return False  # Where it is damaged decides what `zipfile` makes of it.
