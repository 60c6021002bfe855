"""Other libraries' lines go to a file, however they write; ours and real faults reach the terminal."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from tests.places import ROOT

WRITERS = """
import ctypes, logging, os, subprocess, sys, warnings
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell

before = logging.StreamHandler()
with quiet(sys.argv[1]):
    say("starting the engine")
    print("\\x1b[36m(Map pid=1)\\x1b[0m of a worker")
    print("bar 1 of 2\\rbar 2 of 2", file=sys.stderr)
    logging.getLogger("some").warning("of a logger")
    warnings.warn("of warnings")
    os.write(2, b"of C++\\n")
    subprocess.run(["sh", "-c", "echo of a child; echo and its errors >&2"])
    sys.stdout.write("without an end")
    tell("table")
    how = sys.argv[2]
    if how == "exit":
        os._exit(1)
    if how == "fails":
        print("ValueError: no such weights")
        raise RuntimeError("engine failed")
print("after")
"""


def run(folder: Path, how: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", WRITERS, str(folder), how], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    (log,) = folder.glob("*.log")
    return done, log.read_text().splitlines()


def test_whoever_writes_only_ours_reaches_the_terminal(tmp_path: Path) -> None:
    done, log = run(tmp_path / "logs", "ends")
    (path,) = (tmp_path / "logs").iterdir()
    assert done.stdout == "table\nafter\n"
    assert done.stderr.splitlines() == ["starting the engine", f"what Ray, vLLM and others said is in {path}"]
    expected = ["(Map pid=1) of a worker", "bar 1 of 2", "bar 2 of 2", "of a logger", "of C++", "of a child"]
    assert [line for line in log if line in expected] == expected
    assert "and its errors" in log
    assert any("UserWarning: of warnings" in line for line in log)
    assert log[-1] == "without an end"
    assert not any("\x1b" in line for line in log)


def test_an_error_names_the_log_and_its_telling_line(tmp_path: Path) -> None:
    done, log = run(tmp_path / "logs", "fails")
    (path,) = (tmp_path / "logs").iterdir()
    named = f"what Ray, vLLM and others said is in {path}; of which this tells most: RuntimeError: engine failed"
    assert named in done.stderr
    assert "RuntimeError: engine failed" in log
    assert done.returncode == 1


def test_a_process_that_is_ended_from_outside_is_spoken_for(tmp_path: Path) -> None:
    done, _ = run(tmp_path / "logs", "exit")
    (path,) = (tmp_path / "logs").iterdir()
    assert done.stdout == "table\n"
    last = f"visualprm: ended by Ray or from outside; more in {path}; the same command resumes from here"
    assert done.stderr.splitlines() == ["starting the engine", last]


def test_faults_of_workers_reach_the_terminal_once_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with quiet(str(tmp_path / "logs")):
        for pid in (1, 2):
            print(f"(raylet) A worker died or was killed while executing a task ({pid})")
            print(f"(Map pid={pid}) ValueError: bad weights {pid}")
            print(f"(Map pid={pid}) visualprm, a fault: an engine died and is started again")
        print("(Map pid=3) visualprm: step 7 of 9")
    (path,) = (tmp_path / "logs").iterdir()
    died = [f"an engine died and is started again (ValueError: bad weights {pid}); more in {path}" for pid in (1, 2)]
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "Ray lost one of its processes and starts another (A worker died or was killed while executing a task (1)); "
        f"more in {path}",
        *died,
        "step 7 of 9",
        f"what Ray, vLLM and others said is in {path}",
    ]


def mistaken(folder: Path, said: str) -> None:
    with quiet(str(folder)):
        say("reading")
        print(said, end="")
        raise UserError("a: b")


def test_a_log_without_a_line_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError):
        mistaken(tmp_path / "logs", "")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "reading\n")


def test_a_users_mistake_is_not_explained_by_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError):
        mistaken(tmp_path / "logs", "ValueError: a warning of some library\n")
    (path,) = (tmp_path / "logs").iterdir()
    assert capsys.readouterr().err == f"reading\nwhat Ray, vLLM and others said is in {path}\n"


def test_a_block_within_a_block_has_the_same_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with quiet(str(tmp_path / "outer")):
        with quiet(str(tmp_path / "inner")):
            print("of a library")
        print("and another")
    assert [path.name for path in tmp_path.iterdir()] == ["outer"]
    (log,) = (tmp_path / "outer").iterdir()
    assert log.read_text() == "of a library\nand another\n"


def test_the_streams_come_back_and_an_old_handler_writes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, descriptor = (sys.stdout, sys.stderr), os.fstat(2)
    logger = logging.getLogger("test_quiet")
    with quiet(str(tmp_path)):
        handler = logging.StreamHandler()
        logger.addHandler(handler)
        logger.warning("within")
    logger.warning("behind")
    logger.removeHandler(handler)
    assert (sys.stdout, sys.stderr) == before
    assert os.path.samestat(os.fstat(2), descriptor)
    (log,) = tmp_path.iterdir()
    assert log.read_text() == "within\nbehind\n"
    assert "behind" not in capsys.readouterr().err


def test_the_log_of_a_run_in_a_store_is_copied_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import fs

    class Store(fs.SubTreeFileSystem):
        """A file system that is not the local one."""

    (tmp_path / "run").mkdir()
    monkeypatch.setattr(
        "pipeline.terminal.quiet.open_uri", lambda uri: (Store(str(tmp_path), fs.LocalFileSystem()), "run")
    )
    with quiet("s3://bucket/run?region=x"):
        print("of a library")
    (log,) = (tmp_path / "run").iterdir()
    assert log.read_text() == "of a library\n"
    assert f"is in s3://bucket/run/{log.name}?region=x" in capsys.readouterr().err


def test_results_go_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with quiet(str(tmp_path / "logs")):
        tell("table")
    assert capsys.readouterr() == ("table\n", "")


def test_a_stream_that_is_no_file_stays_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = io.StringIO()
    monkeypatch.setattr(sys, "stderr", own)
    with quiet(str(tmp_path / "logs")):
        print("of a library", file=sys.stderr)
        say("starting")
    assert own.getvalue().splitlines()[0] == "starting"


def test_a_block_ends_though_a_process_that_it_forked_lives_on(tmp_path: Path) -> None:
    """As a loader's process does, which lives as long as its training's objects."""
    code = (
        "import os, time\n"
        "from pipeline.terminal.quiet import quiet\n"
        f"with quiet({str(tmp_path / 'logs')!r}):\n"
        "    if (child := os.fork()) == 0:\n"
        "        time.sleep(300)\n"
        "os.kill(child, 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, timeout=120).returncode == 0
