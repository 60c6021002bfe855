"""The policy's folder on the nodes of a cluster: used where a node has it at the driver's path, else sent to it once.

What is sent goes through Ray's object store, and stays in a folder of the node's own for later runs. Either way the node
makes sure, by the fingerprint, that it is the model that the driver knows.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import atomic
from pipeline.config import EngineConfig
from pipeline.engine.policy import folder_fingerprint
from pipeline.errors import UserError
from pipeline.inputs import located

ALWAYS_SENT_BYTES = 64 << 20
"""A model up to this size is sent without being asked for."""
PIECE_BYTES = 32 << 20
"""Of a file, in one object of Ray's."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A model's folder, as it lies at the driver, and what of it is sent."""

    folder: str
    """The absolute path at the driver."""
    fingerprint: str
    sizes: tuple[tuple[str, int], ...]
    """Its files and their bytes."""
    pieces: tuple[tuple[Any, ...], ...] = ()
    """Of each file, the objects in Ray that hold it; empty where nothing is sent, and every node has to have the folder."""

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.sizes)

    def lies_here(self) -> bool:
        """Whether this machine has the folder, going by names and sizes."""
        return sizes_of(Path(self.folder)) == self.sizes

    def opened(self) -> str:
        """The folder with the model on this machine; what was sent is written there first.

        Raises:
            UserError: it is not here, or is another one.
        """
        folder = Path(self.folder)
        if self.lies_here() and folder_fingerprint(folder) == self.fingerprint:
            return self.folder
        if not self.pieces:
            raise UserError(
                f"engine.model: {folder} on {os.uname().nodename} is not the model that it is at the driver: copy it there"
            )
        kept = _kept() / self.fingerprint
        with _locked(kept.with_name(f"{kept.name}.lock")):
            if not (kept.is_dir() and folder_fingerprint(kept) == self.fingerprint):
                self._write(kept)
        return str(kept)

    def _write(self, kept: Path) -> None:
        import ray

        with atomic.new_folder(kept) as aside:
            for (name, _), pieces in zip(self.sizes, self.pieces, strict=True):
                with atomic.opened(f"{aside}/{name}") as file:
                    for piece in pieces:
                        file.write(ray.get(piece))
            if folder_fingerprint(Path(aside)) != self.fingerprint:
                raise UserError(f"engine.model: {self.folder} changed while it was sent: run the command again")


def parcel_of(engine: EngineConfig) -> Parcel | None:
    """The model of these settings, still without what is sent; None where it is no local folder."""
    return parcel_of_folder(located(engine.model, engine.folders)) if engine.kind == "vllm" else None


def parcel_of_folder(name: str) -> Parcel | None:
    """The model in this folder, still without what is sent; None where there is no such folder."""
    folder = Path(name).absolute()
    return Parcel(str(folder), folder_fingerprint(folder), sizes_of(folder)) if folder.is_dir() else None


def packed(parcel: Parcel, ship: bool) -> Parcel:
    """With its files in Ray's object store, where it is small or is to be sent all the same."""
    if parcel.bytes > ALWAYS_SENT_BYTES and not ship:
        return parcel
    import ray

    return Parcel(
        parcel.folder,
        parcel.fingerprint,
        parcel.sizes,
        tuple(tuple(map(ray.put, _pieces(Path(parcel.folder, name)))) for name, _ in parcel.sizes),
    )


def sizes_of(folder: Path) -> tuple[tuple[str, int], ...]:
    """The files that lie in a folder itself, by name, and their bytes; nothing where there is no folder."""
    if not folder.is_dir():
        return ()
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return tuple(sorted((path.name, path.stat().st_size) for path in files))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _kept() -> Path:
    """The folder of this machine for what was sent, this user's alone."""
    folder = Path(tempfile.gettempdir(), f"visualprm-models-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise UserError(f"{folder}: belongs to somebody else: set TMPDIR on the nodes to a folder of your own")
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process of this machine after another: engines that start at once write the model once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
