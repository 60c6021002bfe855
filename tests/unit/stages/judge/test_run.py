"""What ties a folder of judgements to its settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.settings import load_settings, parse_settings
from pipeline.store import Store
from stages.judge.config import JudgeConfig
from stages.judge.judge import with_schemas
from stages.judge.run import _lock_settings, judge_solutions, to_judge
from tests.places import ROOT
from tests.shards import row, step, write


def test_arguments_for_the_chat_template_bind_a_folder_of_judgements(tmp_path: Path) -> None:
    def lock(name: str, **engine: object) -> Store:
        config = parse_settings(JudgeConfig, {"name": "anna", "engine": {"kind": "scripted", **engine}})
        store = Store(str(tmp_path / name))
        store.make()
        _lock_settings(store, "key", config, "{steps}", "scripted")
        return store

    thinks = {"enable_thinking": False}
    assert "engine.chat_template" not in json.loads(lock("plain").read_text("ledger.json"))
    lock("plain")
    with pytest.raises(UserError, match=r"engine\.chat_template \(null, now .*give the judge another name"):
        lock("plain", chat_template=thinks)
    lock("other", chat_template=thinks)
    with pytest.raises(UserError, match=r"engine\.chat_template \(.*, now null\)"):
        lock("other")


@pytest.mark.parametrize("recorded", [{}, {"structured_outputs_config": {"backend": "xgrammar"}}])
def test_judgements_through_servers_go_on_whatever_was_recorded_of_how_these_write(
    tmp_path: Path, recorded: dict[str, object]
) -> None:
    store = Store(str(tmp_path / "judgements"))
    store.make()

    def lock(**args: object) -> None:
        engine = {"kind": "server", "urls": ["http://judge:8000"], "dtype": "bfloat16", "args": args}
        config = parse_settings(JudgeConfig, {"name": "anna", "engine": engine})
        config = config.model_copy(update={"engine": with_schemas(config.engine)})
        _lock_settings(store, "key", config, "{steps}", "a model")

    lock()
    held = store.read_json("ledger.json")
    assert held["engine.args"] == {}
    store.write_json("ledger.json", {**held, "engine.args": recorded})
    lock()
    with pytest.raises(UserError, match=r"engine\.args"):
        lock(mm_processor_kwargs={"max_dynamic_patch": 2})


def test_a_dataset_is_told_from_a_run(tmp_path: Path) -> None:
    judge = str(ROOT / "configs" / "judge_scripted.yaml")
    with pytest.raises(UserError, match="no run with loaded problems and no dataset is here"):
        judge_solutions(str(tmp_path), judge, [])
    assert to_judge(write(tmp_path / "data", [row(0, 0, [step("a", 3)])])).what == "dataset"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("judge_*.yaml")), ids=lambda path: path.name)
def test_every_judge_in_the_repository_parses(path: Path) -> None:
    assert load_settings(JudgeConfig, path, ()).judge.votes >= 1
