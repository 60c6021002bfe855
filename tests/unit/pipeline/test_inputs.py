"""Where inputs are looked for: the command's folder, the config's, the package; each in its turn, names as written."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.config import EngineConfig, InputConfig, RunConfig, load_config, parse_config
from pipeline.engine.policy import check_model, model_fingerprint
from pipeline.errors import UserError
from pipeline.inputs import PACKAGED, located, packaged, read_input, searched
from pipeline.prompts import prompt_file
from pipeline.settings import dump_settings
from stages.annotate.settings_lock import read_templates
from stages.load.given_responses import fingerprint, open_responses
from stages.load.paths import locate
from stages.train import base_model
from stages.train.config import load_train_config
from stages.train.fit import make_layout
from stages.train.on_ray import worker_settings
from stages.train.shards import find_shards
from tests.places import POLICY, ROOT

PROMPT = "prompts/demo_v1.txt"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder where the command runs, and the config's; both empty."""
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    return here, beside


def write(folder: Path, text: str, name: str = PROMPT) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def config(
    folder: Path, text: str = "name: x\nprompt: prompts/demo_v1.txt\nsources: [{name: a, path: a.jsonl}]"
) -> RunConfig:
    write(folder, text, "config.yaml")
    return load_config(folder / "config.yaml")


def test_the_first_place_that_has_it_wins(places: tuple[Path, Path]) -> None:
    here, beside = places
    assert located(PROMPT, [beside]) == str(ROOT / PROMPT)
    write(beside, "beside {question}")
    assert located(PROMPT, [beside]) == str(beside / PROMPT)
    write(here, "here {question}")
    assert located(PROMPT, [beside]) == PROMPT


@pytest.mark.parametrize(
    "name", ["nowhere.txt", "owner/model", "s3://bucket/run", "demo/../setup/install.sh", "pipeline"]
)
def test_what_is_nowhere_stays_as_written(name: str, places: tuple[Path, Path]) -> None:
    assert located(name, [places[1]]) == name


def test_only_packages_of_data_are_looked_into(places: tuple[Path, Path]) -> None:
    assert located("stages/plan/assumptions.yaml") == "stages/plan/assumptions.yaml"
    assert all(packaged(name).is_dir() for name in PACKAGED)
    assert packaged("demo/policy") == POLICY


def test_a_message_names_the_places(places: tuple[Path, Path]) -> None:
    here, beside = places
    assert searched("a.txt", [beside]) == f" (looked for as {here}/a.txt and {beside}/a.txt)"
    assert searched("a.txt", [here]) == f" (looked for as {here}/a.txt)"
    assert searched("prompts/a.txt") == f" (looked for as {here}/prompts/a.txt and {ROOT}/prompts/a.txt)"
    assert searched("/a.txt", [beside]) == searched("s3://bucket/a", [beside]) == ""


def test_a_prompt_beside_the_config_is_read_and_recorded_as_written(places: tuple[Path, Path]) -> None:
    here, beside = places
    write(beside, "beside {question}")
    made = config(beside)
    assert read_templates(made) == {PROMPT: "beside {question}"}
    assert made.prompt == PROMPT
    assert str(beside) not in dump_settings(made)
    write(here, "here {question}")
    assert read_templates(made) == {PROMPT: "here {question}"}


def test_a_missing_prompt_is_one_line_with_the_places(places: tuple[Path, Path]) -> None:
    here, beside = places
    made = config(beside, "name: x\nprompt: none.txt\nsources: [{name: a, path: a.jsonl}]")
    with pytest.raises(UserError) as caught:
        read_templates(made)
    assert str(caught.value) == (
        f"prompt: none.txt: no such file (looked for as {here}/none.txt and {beside}/none.txt); correct the path"
    )


def test_sources_lie_beside_the_config(places: tuple[Path, Path]) -> None:
    here, beside = places
    made = config(beside, "name: x\nsources: [{name: a, path: a.jsonl, images: pictures}]")
    with pytest.raises(UserError) as caught:
        locate(made.sources, None)
    told = f"path a.jsonl: no such file (looked for as {here}/a.jsonl and {beside}/a.jsonl); correct the path"
    assert told in str(caught.value)
    write(beside, "", "a.jsonl")
    (beside / "pictures").mkdir()
    (found,) = locate(made.sources, None)
    assert (found.path, found.images) == (str(beside / "a.jsonl"), str(beside / "pictures"))
    write(beside, "", "rows/a.jsonl")
    (found,) = locate(made.sources, "rows")
    assert found.path == str(beside / "rows" / "a.jsonl")


def test_the_places_of_files_that_are_extended_count_too(places: tuple[Path, Path]) -> None:
    _, beside = places
    write(beside, "name: x\nprompt: p.txt\nsources: [{name: a, path: a.jsonl}]", "under/under.yaml")
    write(beside, "beside {question}", "under/p.txt")
    assert read_templates(config(beside, "extends: under/under.yaml")) == {"p.txt": "beside {question}"}


def test_configs_come_with_the_package(places: tuple[Path, Path]) -> None:
    here, _ = places
    assert load_config("configs/demo.yaml").name == "demo"
    assert config(here, "extends: configs/demo.yaml\nname: mine").engine.model == "demo/policy"
    write(here, "name: other\nsources: [{name: a, path: a.jsonl}]", "configs/demo.yaml")
    assert load_config("configs/demo.yaml").name == "other"


def test_the_model_is_found_and_its_name_does_not_change(places: tuple[Path, Path]) -> None:
    here, beside = places
    found = EngineConfig(model="demo/policy")
    check_model(found)
    assert model_fingerprint(found) == model_fingerprint(EngineConfig(model=str(POLICY)))
    made = config(beside, "name: x\nsources: [{name: a, path: a.jsonl}]\nengine: {model: models/mine/small}")
    with pytest.raises(UserError) as caught:
        check_model(made.engine)
    places_told = f"(looked for as {here}/models/mine/small and {beside}/models/mine/small)"
    assert f"engine.model: models/mine/small holds no config.json {places_told}: give" in str(caught.value)
    write(beside, "{}", "models/mine/small/config.json")
    check_model(made.engine)


def test_folders_travel_with_the_settings_but_are_none(places: tuple[Path, Path]) -> None:
    _, beside = places
    made = config(beside, "name: x\nsources: [{name: a, path: a.jsonl}]\ninput: {}")
    assert made.engine.model_copy(update={"replicas": 2}).folders == ()
    assert made.input == InputConfig()
    assert made.input.folders == (beside,)
    assert pickle.loads(pickle.dumps(made)).sources[0].folders == (beside,)
    assert made == parse_config({"name": "x", "sources": [{"name": "a", "path": "a.jsonl"}]})
    assert hash(made.input) == hash(InputConfig())


def test_every_prompt_that_ships_is_found_from_anywhere(places: tuple[Path, Path]) -> None:
    names = sorted(path.name for path in (ROOT / "prompts").glob("*.txt"))
    assert names
    assert all(prompt_file(name).is_file() for name in names)


def test_responses_and_an_earlier_run_lie_beside_the_config(places: tuple[Path, Path]) -> None:
    here, beside = places
    sources = "name: x\nsources: [{name: a, path: a.jsonl}]\n"
    made = config(beside, sources + "input: {responses: r.jsonl}")
    told = f"input.responses: r.jsonl: no such file (looked for as {here}/r.jsonl and {beside}/r.jsonl); correct it"
    with pytest.raises(UserError) as caught:
        fingerprint(made)
    assert str(caught.value) == told
    write(beside, '{"id": 1, "response": "Final answer: 4"}', "r.jsonl")
    assert fingerprint(made).startswith("+responses@")
    assert open_responses(made) is not None
    continued = config(beside, sources + "input: {ledger: runs/old}")
    write(beside, '{"engine.model": "policy@1+responses@2"}', "runs/old/ledger.json")
    assert fingerprint(continued) == "+responses@2"


def test_inputs_of_a_training_lie_beside_its_config(places: tuple[Path, Path]) -> None:
    here, beside = places
    text = "name: x\ndata: {path: shards}\nmodel: {base: demo/policy, system: system.txt}"
    write(beside, text, "train.yaml")
    made = load_train_config(beside / "train.yaml")
    assert base_model.fingerprint(made.model) == model_fingerprint(EngineConfig(model=str(POLICY)))
    settings = worker_settings(made, cast(Any, SimpleNamespace(folder=here)), made)
    assert settings["config"]["model"]["base"] == str(POLICY)
    looked = f"(looked for as {here}/shards and {beside}/shards)"
    with pytest.raises(UserError, match=re.escape(f"data.path: shards holds no .parquet shards {looked}: `visualprm")):
        find_shards(made.data.path, made.data.folders)
    write(beside, "Judge the steps.\n", "system.txt")
    assert make_layout(made).system == "Judge the steps."


def test_a_text_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"--system: /.*/a\.txt can't be read: 'utf-8' codec"):
        read_input("--system", str(tmp_path / "a.txt"))
