"""Exit statuses, as docs/command_line.md has them."""

from __future__ import annotations

import ast
import errno
import re

import pytest

from pipeline.command_line.ending import ending, one_line_errors
from pipeline.errors import EngineDead, RowError, StartError, UserError
from tests.documented import statuses
from tests.places import ROOT

RAISED: list[tuple[BaseException, int, str]] = [
    (UserError("x.yaml: mend it"), 2, "x.yaml: mend it"),
    (EngineDead("out of memory"), 1, "the engine died (out of memory); the same command resumes from here"),
    (StartError("Ray did not start"), 1, "Ray did not start; the same command resumes from here"),
    # What Ray Data writes below an error of ours.
    (StartError("no server\nFailed to apply UDF transform"), 1, "no server; the same command resumes from here"),
    (
        OSError("When reading key 'run/x' in bucket 'b': AWS Error NETWORK_CONNECTION:\n too slow"),
        1,
        "the object store refused: When reading key 'run/x' in bucket 'b': AWS Error NETWORK_CONNECTION: too slow; the same "
        "command resumes from here",
    ),
    (KeyboardInterrupt(), 130, "stopped; the same command resumes from here"),
    (
        OSError(errno.ENOSPC, "", "/d/x"),
        2,
        "/d/x: no space left on the device: free some, then run the same command again",
    ),
    (
        PermissionError(errno.EACCES, "", "/d/x"),
        2,
        "/d/x: Permission denied: give this user the right to it, or name another place",
    ),
]


@pytest.mark.parametrize(("error", "status", "line"), RAISED, ids=lambda value: type(value).__name__)
def test_every_failure_has_its_status_and_line(error: BaseException, status: int, line: str) -> None:
    assert ending(error, goes_on=True) == (status, line)
    told = "OSError" if isinstance(error, OSError) else type(error).__name__
    assert statuses()[told] == status or "object store" in line


def test_what_goes_wrong_after_a_stop_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.command_line.ending.stopping", lambda: True)
    with pytest.raises(SystemExit) as end, one_line_errors("visualprm", goes_on=True):
        raise UserError("/tmp/ray/x: not writable (No such file or directory): see to it that it can be written")
    assert end.value.code == 130
    said = capsys.readouterr().err
    assert said.startswith(
        "visualprm: stopped; the same command resumes from here (on the way: /tmp/ray/x: not writable"
    )


def test_every_class_has_its_place_in_the_table_or_is_caught() -> None:
    sources = [path for top in ("pipeline", "stages", "demo", "visualprm") for path in (ROOT / top).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    told = statuses().keys() - {"OSError", "KeyboardInterrupt"}
    ours = {
        node.name
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Exception", "Error")) for base in node.bases)
        # What is a kind of one in the table has its status.
        and not told & {ast.unparse(base) for base in node.bases}
    }
    catches = r"^.*\b(?:except|suppress|case)\b.*$"
    caught = {
        name for text in texts for line in re.findall(catches, text, re.MULTILINE) for name in re.findall(r"\w+", line)
    }
    assert not ours - told - caught, "give it a status in pipeline/command_line/ending.py and docs/command_line.md"
    assert told <= ours
    assert {type(error).__name__ for error, *_ in RAISED} >= told


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    for error in (
        ValueError("x"),
        KeyError("x"),
        FileNotFoundError(errno.ENOENT, "", "/x"),
        SystemExit(3),
        RowError("x"),
    ):
        assert ending(error, goes_on=False) is None


def test_what_a_process_of_ray_raised_is_told_without_its_traceback() -> None:
    import ray.exceptions

    wrapped = ray.exceptions.RayTaskError("f", "Traceback …", UserError("x: mend it")).as_instanceof_cause()
    assert isinstance(wrapped, UserError)
    assert ending(wrapped, goes_on=True) == (2, "x: mend it")
