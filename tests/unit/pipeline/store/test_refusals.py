"""What a disk or a store refuses is one line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipeline.errors import StartError, UserError
from pipeline.store import one_line_io_errors


@pytest.mark.parametrize(
    ("error", "words"), [(OSError(28, "x"), "no space left"), (PermissionError(13, "x"), "not writable")]
)
def test_what_the_disk_refuses_is_one_line(error: OSError, words: str) -> None:
    with pytest.raises(UserError, match=words), one_line_io_errors("runs/x"):
        raise error


def test_what_is_refused_elsewhere_is_not_blamed_on_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cases = {
        f"{tmp_path}/home/.ray/token": f"HOME, which is {tmp_path}/home, to a folder that can be written",
        "/opt/cache/x": "see to it that it can be written",
        f"{tmp_path}/run/annotations/x": "or name another folder",
    }
    for file, mend in cases.items():
        with pytest.raises(UserError) as caught, one_line_io_errors(f"{tmp_path}/run"):
            raise PermissionError(errno.EACCES, "Permission denied", file)
        where = f"{tmp_path}/run" if "annotations" in file else file
        assert str(caught.value).startswith(f"{where}: not writable: give this user the right to write there, or ")
        assert str(caught.value).endswith(mend)


@pytest.mark.parametrize(
    ("code", "kind"), [("ACCESS_DENIED", UserError), ("NO_SUCH_BUCKET", UserError), ("NETWORK_CONNECTION", StartError)]
)
def test_a_store_that_does_not_answer_may_answer_later(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="the object store refused"), one_line_io_errors("s3://b/run"):
        raise OSError(
            f"When reading information for key 'x' in bucket 'b': AWS Error {code} during HeadObject operation"
        )
