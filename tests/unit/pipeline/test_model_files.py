"""A model's files, in a folder, in the hub's cache or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.model_files import is_hub_id, model_file


def cached(folder: Path, repo: str, missing: bool = False) -> Path:
    """A hub cache's folder for the files of a repository's only commit, or for what is known to be missing there."""
    root = folder / f"models--{repo.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs/main").write_text("c0ffee")
    files = root / (".no_exist" if missing else "snapshots") / "c0ffee"
    files.mkdir(parents=True, exist_ok=True)
    return files


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("fetch", [False, True])
def test_a_folder_has_what_lies_there(tmp_path: Path, fetch: bool) -> None:
    (tmp_path / "config.json").touch()
    assert model_file(str(tmp_path), "config.json", fetch) == tmp_path / "config.json"
    assert model_file(str(tmp_path), "tokenizer.json", fetch) is None


def test_a_hub_model_has_what_is_in_the_cache(tmp_path: Path) -> None:
    held = cached(tmp_path, "someone/model") / "config.json"
    held.touch()
    (cached(tmp_path, "someone/model", missing=True) / "prm_config.json").touch()
    for fetch in (False, True):
        assert model_file("someone/model", "config.json", fetch) == held
        assert model_file("someone/model", "prm_config.json", fetch) is None
    # Nobody has asked the hub for this one yet.
    assert model_file("someone/model", "tokenizer.json") is None
    with pytest.raises(UserError, match=rf"tokenizer\.json is not in the cache, .*: give its folder, {held.parent}"):
        model_file("someone/model", "tokenizer.json", fetch=True)


@pytest.mark.parametrize("fetch", [False, True])
def test_a_name_that_the_hub_cannot_have_is_one_line(fetch: bool) -> None:
    with pytest.raises(UserError, match=r"^some one/model: neither a folder nor a model on the hub"):
        model_file("some one/model", "config.json", fetch)


def test_a_hub_id_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("owner/name")
    for path in ("name", "./owner/name", "/owner", "~/name", "a/b/c"):
        assert not is_hub_id(path)
    (tmp_path / "owner").mkdir()
    assert not is_hub_id("owner/name")
