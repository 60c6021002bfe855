"""What `make reproduce` made and later work starts from: reward models, candidates and a bench, packed with their hashes.

    python -m demo.reproduction.kept                 # unpacks all of demo/reproduced/ into data/reproduced/
    python -m demo.reproduction.kept value bench     # or these
    python -m demo.reproduction.kept --pack          # after `make reproduce`: packs them anew

demo/reproduced/files.json says of every file its size, its SHA-256 and the command that made what is inside.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shlex
import sys
import tarfile
from collections.abc import Iterable, Sequence
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


def tasks(name: str = "reproduce") -> dict[str, Task]:
    """The tasks whose results are kept, by the name they are kept under."""
    plan = Plan(Places(name), 1000, 600, list(VARIANTS))
    pools = {f"pool-{temperature}": plan.pool(temperature) for temperature in TEMPERATURES}
    return {**{model: plan.trained(model) for model in MODELS}, **pools, "bench": plan.bench}


def pack(names: Iterable[str], packed: Path = PACKED) -> dict[str, Any]:
    """Writes an archive for each name, and the list of all.

    Returns:
        The list: name → file, size in bytes, SHA-256, and the command that made the content.

    Raises:
        UserError: something to pack is not there.
    """
    made = tasks()
    listed = {}
    for name in names:
        task = made[name]
        if not task.makes.is_dir():
            raise UserError(f"{task.makes}: is not there to be packed; make reproduce makes it")
        content = archive(task.makes)
        atomic.write(packed / f"{name}.tar.xz", content)
        command = shlex.join(["python", *task.command[1:]])
        listed[name] = {"file": f"{name}.tar.xz", "size": len(content), "sha256": _sha256(content), "command": command}
    atomic.write(packed / LIST, json.dumps(listed, indent=1) + "\n")
    return listed


def archive(folder: Path) -> bytes:
    """A folder as the same bytes wherever and whenever it is packed; what is derived from others (scores, reports) stays out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=9) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder)
            if inside.parts[0] in ("scores", "report"):
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
    parser.add_argument("names", nargs="*", help="what to unpack, or to pack (all)")
    parser.add_argument("--pack", action="store_true", help="pack what make reproduce has made")
    options = parser.parse_args()
    try:
        if options.pack:
            for name, one in pack(options.names or list(tasks())).items():
                print(f"{one['sha256']}  {one['size']:>10,}  {name}")
        else:
            unpack(options.names)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
