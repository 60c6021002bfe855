"""What `make reproduce` made and later work starts from: data, reward models, candidates and a bench, with their hashes.

    python -m demo.reproduction.kept                 # unpacks all of demo/reproduced/ into data/reproduced/
    python -m demo.reproduction.kept value bench     # or these
    python -m demo.reproduction.kept --restore       # where `make reproduce` made them, so that it goes on from there
    python -m demo.reproduction.kept --pack          # after `make reproduce`: packs what is there anew

demo/reproduced/files.json says of every file its size, its SHA-256, and the command that made what is inside.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shlex
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.reproduction.claims import WIDE
from demo.reproduction.plan import TEMPERATURES, VARIANTS, Places, Plan
from demo.reproduction.tasks import Task
from pipeline import atomic
from pipeline.errors import UserError

PACKED = Path(__file__).parent.parent / "reproduced"
UNPACKED = Path("data/reproduced")
LIST = "files.json"
MODELS = ("value", "orm", WIDE)
"""Reward models that are kept: of steps and of outcomes on 1,000 problems, and of steps on 4,000."""
DERIVED = ("scores", "report", "logs")
"""Folders that are not packed: they are made again from what is."""


@dataclass(frozen=True)
class Kept:
    """Something that is kept: where it lies after `make reproduce`, and the task that makes it."""

    folder: Path
    task: Task


def all_kept(places: Places) -> dict[str, Kept]:
    """All that may be kept, by its name."""
    plan = Plan(places, 1000, 600, list(VARIANTS))
    made = {
        "dataset": plan.dataset,
        "labels": plan.labels,
        **{f"pool-{temperature}": plan.pool(temperature) for temperature in TEMPERATURES},
        "bench": plan.bench,
        **{model: plan.trained(model) for model in MODELS},
    }
    kept = {name: Kept(task.makes, task) for name, task in made.items()}
    return {"run": Kept(Path("runs", places.name), plan.dataset), **kept}


def pack(places: Places, packed: Path = PACKED) -> dict[str, Any]:
    """Writes an archive of everything that is there, and the list of all.

    Returns:
        The list: name → file, size in bytes, SHA-256; the command that made the content, its key, and its seconds.
    """
    listed = {}
    for name, one in all_kept(places).items():
        note = one.task.done(places.notes)
        if note is None or not one.folder.is_dir():
            continue
        content = archive(one.folder)
        atomic.write(packed / f"{name}.tar.xz", content)
        command = shlex.join(["python", *one.task.command[1:]])
        listed[name] = {
            **{"file": f"{name}.tar.xz", "size": len(content), "sha256": _sha256(content), "command": command},
            **{"key": note["key"], "seconds": round(note["seconds"], 1)},
        }
    atomic.write(packed / LIST, json.dumps(listed, indent=1) + "\n")
    return listed


def restore(places: Places, packed: Path = PACKED) -> list[str]:
    """Puts everything where `make reproduce` made it, and notes it as done.

    Returns:
        Names that were left out: another policy, config or version makes something else now, or something is there.
    """
    listed = json.loads((packed / LIST).read_text(encoding="utf-8"))
    left = []
    for name, one in all_kept(places).items():
        if name not in listed:
            continue
        if one.folder.exists() or one.task.key != listed[name]["key"]:
            left.append(name)
            continue
        _unpack(packed / listed[name]["file"], listed[name]["sha256"], one.folder)
        one.task.note(places.notes, listed[name]["seconds"])
    return left


def archive(folder: Path) -> bytes:
    """A folder as the same bytes wherever and whenever it is packed; what is derived from others (scores, reports) stays out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=9) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder)
            if inside.parts[0] in DERIVED:
                continue
            info = tarfile.TarInfo(inside.as_posix())
            info.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(info, file)
    return out.getvalue()


def unpack(names: Sequence[str] = (), packed: Path = PACKED, into: Path = UNPACKED) -> list[Path]:
    """The folders of these names, or of all; one that was unpacked from the same file before is left as it is.

    Raises:
        UserError: a name is not kept, or a file is not what the list says.
    """
    listed = json.loads((packed / LIST).read_text(encoding="utf-8"))
    folders = []
    for name in names or listed:
        if name not in listed:
            raise UserError(f"{name}: is not kept; kept are {', '.join(listed)}")
        stated, folder = listed[name], into / name
        note = into / f"{name}.sha256"
        if not (folder.is_dir() and note.is_file() and note.read_text() == stated["sha256"]):
            _unpack(packed / stated["file"], stated["sha256"], folder)
            atomic.write(note, stated["sha256"])
        folders.append(folder)
    return folders


def _unpack(file: Path, sha256: str, folder: Path) -> None:
    content = file.read_bytes()
    if _sha256(content) != sha256:
        raise UserError(f"{file}: is not the file that {LIST} lists (another SHA-256): restore it, git checkout {file}")
    with atomic.new_folder(folder) as aside, tarfile.open(fileobj=io.BytesIO(content), mode="r:xz") as tar:
        tar.extractall(aside, filter="data")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="what to unpack (all)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--pack", action="store_true", help="pack what make reproduce has made")
    way.add_argument("--restore", action="store_true", help="let make reproduce go on from what is kept")
    options = parser.parse_args()
    places = Places("reproduce")
    try:
        if options.pack:
            for name, one in pack(places).items():
                print(f"{one['sha256']}  {one['size']:>10,}  {name}")
        elif options.restore:
            if left := restore(places):
                print(f"left out, since something is there or is made otherwise now: {', '.join(left)}")
        else:
            unpack(options.names)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
