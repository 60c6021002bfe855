"""A small run and its dataset, made once, and put back as they were before each fault."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import yaml

from pipeline.cli import main
from tests.faults.alone import without_ray

BESIDE = ("driver.lock",)
"""Of a run: what nothing follows from."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with."""

    status: int
    out: str
    err: str

    @property
    def one_line(self) -> bool:
        """Whether it was refused, in one line that blames no program."""
        return (
            self.status == 2
            and "Traceback" not in self.err
            and self.err.rstrip().split("\n")[-1].startswith("visualprm: ")
        )


class Place:
    """`run/` and `data/` in a folder, of 12 problems in two files and a ledger of three."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept = folder / "now", folder / "kept"
        self.run, self.data, self.config = self.folder / "run", self.folder / "data", folder / "config.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "name": "scripted",
            "run_dir": str(self.run),
            "output_dir": str(self.data),
            "prompt": "prompts/demo_v1.txt",
            "sources": [{"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 12}}],
            "engine": {"kind": "scripted"},
            "sampling": {"num_solutions": 2, "max_tokens": 64},
            "rollout": {"num_draws": 4},
            "ray": {"rows_per_block": 4},
        }
        self.config.write_text(yaml.safe_dump(settings))
        said = self.call("dataset", str(self.config))
        if said.status:
            raise RuntimeError(said.err)
        shutil.copytree(self.folder, self.kept)

    def call(self, *arguments: str) -> Said:
        """A command in this process."""
        out, err, status = io.StringIO(), io.StringIO(), 0
        with (
            without_ray(),
            patch("stages.load.problems.PART_BYTES", 600),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(arguments)
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException as error:
                status = 70
                err.write(f"Traceback: {type(error).__name__}: {error}")
        return Said(status, out.getvalue(), err.getvalue())

    def reset(self) -> None:
        """Everything as it was when the run was done; times of files, too."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder)

    def files(self) -> list[str]:
        """Names below the folder, of all that means something."""
        found = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return [name for name in found if not name.removeprefix("run/").startswith(BESIDE)]

    def dataset_is_whole(self) -> bool:
        """Whether the dataset's files have the bytes of the undisturbed run."""
        return contents(self.data) == contents(self.kept / "data")

    def same_shards(self, folder: Path) -> bool:
        """Whether the shards there have the bytes of the undisturbed run's."""
        found, wanted = contents(folder), contents(self.kept / "data")
        return all(found.get(name) == data for name, data in wanted.items() if name.endswith(".parquet"))


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
