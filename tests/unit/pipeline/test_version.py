from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline import version


class Installed:
    """A distribution with this version and origin."""

    version = "1.2.3"

    def __init__(self, origin: str | None) -> None:
        self._origin = origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self._origin


def test_one_line_names_all_that_matters(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli import main

    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    form = r"visualprm \S+(, commit [0-9a-f]{7,}(-dirty)?)?, ray \d\S*, vllm (\d\S*|not installed)\n"
    assert re.fullmatch(form, capsys.readouterr().out)


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "distribution", missing)
    monkeypatch.setattr(version, "commit", lambda: None)
    assert version.version_line() == "visualprm unknown, ray not installed, vllm not installed"
    assert version.versions() == dict.fromkeys(("ray", "vllm", "torch", "transformers"))


def test_the_commit_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "a.py").touch()
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(pipeline, "__path__", [str(tmp_path / "pipeline")])
    known = version.commit()
    assert known is not None
    assert re.fullmatch("[0-9a-f]{12}", known)
    (tmp_path / "pipeline" / "a.py").write_text("changed")
    assert version.commit() == f"{known}-dirty"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ('{"url": "https://example.org", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}', "0123456789ab"),
        ('{"url": "file:///a.whl", "archive_info": {}}', None),
        (None, None),
    ],
)
def test_the_commit_that_was_installed_from(
    origin: str | None, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "__path__", [str(tmp_path / "pipeline")])
    monkeypatch.setattr(version, "distribution", lambda _: Installed(origin))
    assert version.commit() == expected
