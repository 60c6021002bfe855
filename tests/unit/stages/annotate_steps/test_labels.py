"""Labels on the disk: no line is lost, whatever happens to the process; what stands in the end."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import UserError
from stages.annotate_steps.labels import FOLDER, Entry, Log, current, read_entries, settled
from tests.places import ROOT


def entry(task: str = "t", step: int = 0, label: str | None = "correct", **more: object) -> Entry:
    return dataclasses.replace(Entry(task, step, None, "", "", 0), label=label, **more)  # type: ignore[arg-type]


def test_lines_are_added_and_read_in_the_order_of_time(tmp_path: Path) -> None:
    ann, bo = Log(tmp_path, "Ann"), Log(tmp_path, "Bo")
    for number in range(3):
        ann.add(entry(step=number))
        bo.add(entry(step=number, label="incorrect", category="logic", note="“ä”\n"))
    found = read_entries(tmp_path)
    assert [(one.annotator, one.step) for one in found] == [(name, step) for step in range(3) for name in ("Ann", "Bo")]
    assert found[1].note == "“ä”\n"


def test_two_sessions_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    first, second = Log(tmp_path, "Ann"), Log(tmp_path, "Ann")
    first.add(entry(label="correct"))
    second.add(entry(label="incorrect"))
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    assert {one.session for one in read_entries(tmp_path)} == {first.session, second.session}
    assert current(read_entries(tmp_path))["t", 0]["Ann"].label == "incorrect"


def test_what_was_taken_back_is_gone_and_may_be_said_again(tmp_path: Path) -> None:
    log = Log(tmp_path, "Ann")
    log.add(entry())
    log.add(entry(label=None))
    assert current(read_entries(tmp_path)) == {}
    log.add(entry(label="neutral"))
    assert current(read_entries(tmp_path))["t", 0]["Ann"].label == "neutral"


def test_a_decision_stands_apart_from_labels(tmp_path: Path) -> None:
    log = Log(tmp_path, "Ann")
    log.add(entry())
    log.add(entry(label="incorrect", settles=True))
    entries = read_entries(tmp_path)
    assert current(entries)["t", 0]["Ann"].label == "correct"
    assert settled(entries)["t", 0].label == "incorrect"


def test_a_cut_last_line_does_not_count_and_a_broken_one_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path, "Ann")
    log.add(entry())
    log.add(entry(step=1))
    (path,) = (tmp_path / FOLDER).iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert [one.step for one in read_entries(tmp_path)] == [0]
    path.write_bytes(whole[9:])
    with pytest.raises(UserError, match=r"line 1 is no label .* mend or remove this line"):
        read_entries(tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 61, "<script>"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="a name has"):
        Log(tmp_path, name)


def test_threads_do_not_tear_lines(tmp_path: Path) -> None:
    log = Log(tmp_path, "Ann")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.add(entry(step=number, note="x" * 500)), range(100)))
    assert sorted(one.step for one in read_entries(tmp_path)) == list(range(100))


WRITER = """
import sys
from pathlib import Path
from stages.annotate_steps.labels import Entry, Log
log = Log(Path(sys.argv[1]), "Ann")
for number in range(100_000):
    log.add(Entry("t", number, "correct", "", "", 0, note="x" * 200))
    print(number, flush=True)
"""


def test_a_kill_loses_no_label_that_was_shown_as_kept(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    kept = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    kept += [int(line) for line in process.stdout.read().split("\n") if line.strip()]
    process.wait()
    assert {one.step for one in read_entries(tmp_path)} >= set(kept)
