"""What drew a ledger is noted once for each kind of engine, and told as far as it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import EngineConfig, RunConfig, parse_config
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.engines import (
    copy_engines,
    engines,
    keep_notes,
    known_split,
    note_again,
    note_earlier_engines,
    note_engine,
    noted_split,
)

FOUND = {"ray": "2.1", "vllm": "0.3", "torch": "2.9", "transformers": "5.0"}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.annotate.engines.versions", lambda: FOUND)


def config(kind: str = "vllm") -> RunConfig:
    return parse_config({"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "engine": {"kind": kind}})


def test_replicas_and_restarts_add_no_note_and_another_version_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    for _ in range(3):
        note_engine(store, config(), "policy@0123", "0.1.0")
    one = {"kind": "vllm", "model": "policy@0123", "versions": {"visualprm": "0.1.0", **FOUND}}
    assert engines(store, config()) == [one]
    monkeypatch.setattr("stages.annotate.engines.versions", lambda: {**FOUND, "vllm": "0.4"})
    note_engine(store, config(), "policy@0123", "0.1.0")
    assert sorted(note["versions"]["vllm"] for note in engines(store, config())) == ["0.3", "0.4"]


def test_what_a_scripted_engine_does_not_use_is_not_named(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    note_engine(store, config("scripted"), "scripted", "0.1.0")
    (note,) = engines(store, config("scripted"))
    assert note["versions"] == {"visualprm": "0.1.0", "ray": "2.1", "vllm": None, "torch": None, "transformers": None}


def thinks(part: str = "answer", opened: bool | None = None, **more: Any) -> RunConfig:
    data = {"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "engine": {"kind": "scripted"}, **more}
    return parse_config({**data, "split": {"part": part, "opened": opened}})


def test_what_the_chat_template_opens_is_noted_and_found_again(tmp_path: Path) -> None:
    engine = ScriptedEngine(EngineConfig(kind="scripted", args={"thinking": "opened"}))
    assert known_split(thinks(), engine).opened is True
    assert known_split(thinks(), ScriptedEngine(EngineConfig(kind="scripted"))).opened is False
    assert known_split(thinks(opened=False), engine).opened is False
    assert known_split(thinks("all"), engine).opened is None
    # Another policy, with a template of its own, wrote what is given.
    assert known_split(thinks(input={"responses": "given.jsonl"}), engine).opened is False
    store = Store(str(tmp_path))
    assert noted_split(store, thinks()).opened is False
    note_engine(store, thinks(), "scripted", None, True)
    assert noted_split(store, thinks()).opened is True
    (path,) = store.files("engines", ".json")
    name = f"engines/{Path(path).name}"
    keep_notes(store)
    Path(path).write_text("{")
    note_again(store, thinks(), "scripted", name)
    assert noted_split(store, thinks()).opened is True


def test_a_run_of_before_has_an_engine_without_versions(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_json("ledger.json", {"engine.model": "policy@0123"})
    unknown = {"kind": "vllm", "model": "policy@0123", "versions": None}
    assert engines(store, config()) == [unknown]
    note_earlier_engines(store, config(), "policy@0123")
    note_engine(store, config(), "policy@0123", "0.1.0")
    note_earlier_engines(store, config(), "policy@0123")
    found = engines(store, config())
    assert len(found) == 2
    assert unknown in found


def test_a_run_that_takes_draws_over_names_their_engines(tmp_path: Path) -> None:
    earlier, store = Store(str(tmp_path / "old")), Store(str(tmp_path / "new"))
    note_engine(earlier, config(), "policy@0123", "0.0.9")
    copy_engines(store, earlier)
    assert engines(store, config()) == engines(earlier, config())


def test_a_note_that_cannot_be_written_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise UserError("no space left")

    store = Store(str(tmp_path))
    monkeypatch.setattr(store, "write_json", refuse)
    note_engine(store, config(), "m", None)
    assert capsys.readouterr().err == "the engine's versions could not be noted: no space left\n"
