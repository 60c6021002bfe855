"""Files and folders that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import fs

from pipeline import atomic
from tests.places import ROOT

LOCAL = atomic.LOCAL


@pytest.fixture(params=["disk", "object store"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Callable[[str], str], fs.FileSystem]:
    """How a path in `tmp_path` is written for a file system, and that one: a disk, or one that knows no renames."""
    if request.param == "disk":
        return lambda name: str(tmp_path / name), LOCAL
    return lambda name: name, fs.SubTreeFileSystem(str(tmp_path), LOCAL)


Place = tuple[Callable[[str], str], fs.FileSystem]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_is_replaced_and_its_folder_made(at: Place, tmp_path: Path) -> None:
    path, filesystem = at
    atomic.write(path("deep/x.json"), "Größe", filesystem)
    atomic.write(path("deep/x.json"), b"two", filesystem)
    atomic.write(path("y"), "", filesystem)
    assert tree(tmp_path) == {"deep/x.json": b"two", "y": b""}


def test_a_file_that_was_not_finished_leaves_the_old_one(at: Place, tmp_path: Path) -> None:
    path, filesystem = at
    atomic.write(path("x"), "old", filesystem)

    def stop_half_way(name: str) -> None:
        with atomic.new_file(path(name), filesystem) as out:
            out.write(b"half")
            raise KeyboardInterrupt

    for name in ("x", "new"):
        with pytest.raises(KeyboardInterrupt):
            stop_half_way(name)
    assert tree(tmp_path) == {"x": b"old"}


def test_a_folder_is_replaced_as_a_whole(at: Place, tmp_path: Path) -> None:
    path, filesystem = at
    for content in (("a", "b"), ("b", "c")):
        with atomic.new_folder(path("data"), filesystem) as folder:
            for name in content:
                with atomic.opened(f"{folder}/{name}", filesystem) as out:
                    out.write(name.encode())
    assert tree(tmp_path) == {"data/b": b"b", "data/c": b"c"}
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_was_not_finished_leaves_the_old_one(at: Place, tmp_path: Path) -> None:
    path, filesystem = at
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("old")

    def fail_half_way() -> None:
        with atomic.new_folder(path("data"), filesystem) as folder, atomic.opened(f"{folder}/x", filesystem) as out:
            out.write(b"half")
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        fail_half_way()
    assert tree(tmp_path) == {"data/x": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_where_folders_have_no_rename_what_completes_one_is_the_first_to_go_and_the_last_to_come(
    tmp_path: Path,
) -> None:
    seen: list[str] = []

    class Store(fs.SubTreeFileSystem):
        def delete_file(self, path: str) -> None:
            seen.append(f"delete {path}")
            super().delete_file(path)

        def move(self, source: str, target: str) -> None:
            seen.append(f"move {target}")
            super().move(source, target)

    store = Store(str(tmp_path), LOCAL)
    for _ in range(2):
        with atomic.new_folder("d", store, last=("README.md", "a.json")) as folder:
            for name in ("a.json", "z", "README.md", "b"):
                atomic.write(f"{folder}/{name}", name, store)
    order = ["d/b", "d/z", "d/README.md", "d/a.json"]
    assert seen[:4] == [f"move {name}" for name in order]
    assert seen[4:] == [f"delete {name}" for name in reversed(order)] + [f"move {name}" for name in order]


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace, rename = os.fsync, os.replace, os.rename

    def noted(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes"
        events.append(f"sync {kind}")
        sync(descriptor)

    def renaming(how: Callable[..., None]) -> Callable[..., None]:
        def rename(*paths: str) -> None:
            events.append("rename")
            how(*paths)

        return rename

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", renaming(replace))
    monkeypatch.setattr(os, "rename", renaming(rename))
    atomic.write(tmp_path / "x", "1234")
    assert events == ["sync 4 bytes", "rename", "sync folder"]
    events.clear()
    with atomic.new_folder(tmp_path / "d") as folder:
        Path(folder, "sub").mkdir()
        for name in ("x", "sub/y"):
            Path(folder, name).write_text("12345")
    assert sorted(events[:4]) == ["sync 5 bytes", "sync 5 bytes", "sync folder", "sync folder"]
    assert events[4:] == ["rename", "sync folder"]


@pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_disk_that_can_not_sync_will_do_and_one_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: bool
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "x").write_text("old")
    monkeypatch.setattr(os, "fsync", refuse)
    if told:
        with pytest.raises(OSError, match=os.strerror(number)):
            atomic.write(tmp_path / "x", "new")
    else:
        atomic.write(tmp_path / "x", "new")
    assert tree(tmp_path) == {"x": b"old" if told else b"new"}


@pytest.mark.parametrize("what", ["new_file", "new_folder"])
def test_a_kill_in_between_leaves_the_old_and_the_next_call_succeeds(tmp_path: Path, what: str) -> None:
    target = tmp_path / "x"
    if what == "new_folder":
        target.mkdir()
    inside = target / "in" if what == "new_folder" else target
    inside.write_text("old")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom pipeline import atomic\n"
        f"with atomic.{what}(sys.argv[1]) as new:\n"
        "    new.write(b'half') if hasattr(new, 'write') else Path(new, 'in').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert done.returncode == -9
    assert inside.read_text() == "old"
    if what == "new_folder":
        with atomic.new_folder(target) as folder:
            Path(folder, "in").write_text("new")
        assert tree(tmp_path) == {"x/in": b"new"}
    else:
        atomic.write(target, "new")
        assert target.read_text() == "new"


def test_a_linked_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big")
    with atomic.new_folder(tmp_path / "out") as folder:
        Path(folder, "x").write_text("new")
    assert (tmp_path / "out").is_symlink()
    assert tree(tmp_path / "big") == {"x": b"new"}


def test_a_relative_path_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    atomic.write("x", "1")
    with atomic.new_folder("d") as folder:
        Path(folder, "y").write_text("2")
    assert tree(tmp_path) == {"x": b"1", "d/y": b"2"}


@pytest.mark.parametrize("top", ["pipeline", "stages"])
def test_nobody_renames_or_opens_streams_on_his_own(top: str) -> None:
    own = re.compile(r"os\.(replace|rename|fsync)|\.rename\(|open_output_stream")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / top).rglob("*.py"))
        # The second appends, and forces every line to the disk.
        if path not in (Path(atomic.__file__), ROOT / "stages/annotate_steps/labels.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if own.search(line)
    ]
    assert not found, f"{found}: write through pipeline/atomic.py, which forces it to the disk first"
