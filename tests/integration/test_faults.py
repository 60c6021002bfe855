"""The short form of `make faults`: one bit a file, and every writer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults import disk, writers
from tests.faults.results import BAD

pytestmark = pytest.mark.more


def test_damaged_files_give_no_wrong_result_and_no_traceback(tmp_path: Path) -> None:
    found = list(disk.results(tmp_path, flips=1))
    assert len(found) > 50
    assert [one for one in found if one.outcome in BAD] == []


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the library that makes a disk fail is compiled")
def test_disks_that_fail_are_named_and_the_same_command_ends_in_the_same_bytes(tmp_path: Path) -> None:
    found = list(writers.results(tmp_path))
    assert len(found) == 3 * len(writers.WRITERS)
    assert [one for one in found if one.outcome in BAD] == []
