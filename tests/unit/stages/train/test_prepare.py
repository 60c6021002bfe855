"""From published shards to samples: what is left out and why, and when samples are found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import RolloutConfig, SplitConfig
from pipeline.errors import UserError
from pipeline.schemas import PUBLISHED_SCHEMA
from stages.reward.render import FIRST_TURN, Layout
from stages.train.batches import Collator
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from stages.train.prepare import Prepared, _parts, prepare
from stages.train.samples import UNMEASURED
from stages.train.targets import LABELS
from tests import shards
from tests.families import family


def config(folder: Path, data: str, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {"name": "t", "run_dir": str(folder / "run"), "output_dir": str(folder / "out")}
    settings |= {"data": {"path": data, "held_out": 0.0}, "model": {"base": "demo/policy"}}
    for key, value in changes.items():
        group, _, name = key.partition("__")
        settings.setdefault(group, {})[name] = value
    return TrainConfig.model_validate(settings)


def prepared(
    folder: Path, rows: list[dict[str, Any]], name: str = "demo", first_turn: str = FIRST_TURN, **changes: Any
) -> Prepared:
    settings = config(folder, shards.write(folder / "data", rows), model__first_turn=first_turn, **changes)
    return prepare(settings, family(name)[1], Layout(tuple(LABELS[settings.target.kind]), first_turn=first_turn))


def test_each_reason_is_counted_and_named(tmp_path: Path) -> None:
    good = shards.row(0, 0, [shards.step("a", 8), shards.step("b", 0)])
    rows = [
        good,
        shards.row(1, 0, [shards.step("a", None)]),
        shards.row(2, 0, [shards.step("a", 8)], images=[{"bytes": shards.picture(2)[:-30], "path": "x"}]),
        shards.row(3, 0, [shards.step("a", 8)], images=[{"bytes": None, "path": "x"}]),
        shards.row(4, 0, [shards.step("word " * 500, 8)]),
        shards.row(5, 0, [shards.step("a", 8), shards.step("word " * 500, 8)]),
        shards.row(6, 0, []),
    ]
    found = prepared(tmp_path, rows, data__max_tokens=300)
    assert found.facts["left_out"] == {
        "no_measured_step": 1, "bad_image": 2, "too_long": 1, "steps_too_long": 1, "no_step": 1,
    }  # fmt: skip
    assert found.train.ids == [good["id"], rows[5]["id"]]
    assert rows[2]["id"] in found.facts["examples"]["bad_image"]


def test_what_the_model_cannot_read_is_cut_or_left_out_as_in_scoring(tmp_path: Path) -> None:
    rows = [
        shards.row(0, 0, [shards.step("a", 8), shards.step("b", 0)]),
        shards.row(1, 0, [shards.step("word " * 500, 8)]),
        shards.row(2, 0, [shards.step("a", 8), shards.step("word " * 500, 8)]),
    ]
    settings = config(tmp_path, shards.write(tmp_path / "data", rows))
    whole = prepare(settings, family("demo")[1], Layout())
    assert "left_out" in whole.facts
    assert not whole.facts["left_out"]
    found = prepare(settings, family("demo")[1], Layout(), context=300)
    assert found.folder != whole.folder
    assert found.facts["left_out"] == {"too_long": 1, "steps_too_long": 1}
    assert found.facts["examples"] == {
        "too_long": f"{rows[1]['id']}: its first step ends beyond the model's context of 300 tokens"
    }
    assert max(found.train.lengths) <= 300
    assert found.facts["max_tokens"] == 300
    # A context that cuts nothing leaves a training the samples that it has.
    assert prepare(settings, family("demo")[1], Layout(), context=8000).folder == whole.folder


def test_a_training_finds_its_own_samples_again_whatever_else_lies_there(tmp_path: Path) -> None:
    settings = config(tmp_path, shards.write(tmp_path / "data", shards.solutions(4, 2)))
    mine = prepare(settings, family("demo")[1], Layout(), context=4000)
    assert prepare(settings, family("demo")[1], Layout()).folder != mine.folder
    assert prepare(settings, family("demo")[1], Layout(), context=4000).folder == mine.folder


def test_targets_labels_and_weights_reach_the_batch(tmp_path: Path) -> None:
    rows = [shards.row(0, 0, [shards.step("a", 8), shards.step("b", None), shards.step("c", 0)]),
            shards.row(1, 0, [shards.step("a", 4)])]  # fmt: skip
    found = prepared(tmp_path, rows, loss__class_weights={"-": 3.0}, loss__reduction="solution")
    # Base weights ½, ½ and 1; the wrong step three times as much; three steps, so that the mean is 1.
    assert found.scale == pytest.approx(3 / (0.5 + 1.5 + 1))
    batch = Collator(family("demo")[1], found.class_weights, found.scale)([found.train[0], found.train[1]])
    assert batch["labels"].tolist() == [[0, UNMEASURED, 1], [0, UNMEASURED, UNMEASURED]]
    assert batch["weights"].tolist() == [[0.5, 0.0, 1.5], [1.0, 0.0, 0.0]]
    assert batch["mass"][0].tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    assert batch["rows"] == [row["id"] for row in rows]


def test_solutions_alike_are_trained_on_once_with_the_weight_of_all(tmp_path: Path) -> None:
    right, wrong = [shards.step("a", 16), shards.step("b", 8)], [shards.step("a", 16), shards.step("c", 0)]
    rows = [shards.row(0, index, steps) for index, steps in enumerate([right, wrong, right, right])]
    found = prepared(tmp_path, rows)
    assert found.train.ids == [rows[0]["id"], rows[1]["id"]]
    assert [list(sample.weights) for sample in found.train] == [[3.0, 3.0], [1.0, 1.0]]
    assert found.facts["labels"] == {"+": 7, "-": 1}
    assert found.facts["counts"]["train"]["samples"] == 4
    # The mean weight of a step of a batch is 1.
    assert found.scale * (3 + 3 + 1 + 1) / 4 == 1


def test_samples_are_found_again_and_made_anew_for_other_settings(tmp_path: Path) -> None:
    rows = shards.solutions(4)
    first = prepared(tmp_path, rows)
    stamp = (first.folder / "train.arrow").stat().st_mtime_ns
    assert prepared(tmp_path, rows).folder == first.folder
    assert (first.folder / "train.arrow").stat().st_mtime_ns == stamp
    assert prepared(tmp_path, rows, target__threshold=0.5).folder != first.folder
    assert prepared(tmp_path, rows[:-1]).fingerprint != first.fingerprint


def states(data: str, **figures: Any) -> None:
    (Path(data) / "stats.json").write_text(json.dumps(figures))


def test_samples_are_made_anew_where_the_dataset_states_another_cutting(tmp_path: Path) -> None:
    data = shards.write(tmp_path / "data", shards.solutions(2))
    settings, demo = config(tmp_path, data), family("demo")[1]
    first = prepare(settings, demo, Layout())
    states(data, split={"kind": "sentences"})
    found = prepare(settings, demo, Layout())
    assert found.folder != first.folder
    assert found.split == SplitConfig(kind="sentences")
    assert prepare(settings, demo, Layout()).folder == found.folder
    (Path(data) / "stats.json").unlink()
    assert prepare(settings, demo, Layout()).folder == first.folder
    # Where nothing else lies, the name is as it always was.
    states(data, split={"kind": "sentences"})
    assert prepare(config(tmp_path / "new", data), demo, Layout()).folder.name == first.folder.name


def test_samples_are_made_anew_where_another_rule_labels_bare_scores(tmp_path: Path) -> None:
    bare = {**shards.step("b", 4), "label": None}
    wrong = {**shards.step("a", 16), "label": "-"}
    data = shards.write(tmp_path / "data", [shards.row(0, 0, [wrong, bare])])
    settings, demo = config(tmp_path, data), family("demo")[1]
    states(data, label={"threshold": 0.0, "missing": "miss"})
    first = prepare(settings, demo, Layout())
    states(data, label={"threshold": 0.5, "missing": "miss"})
    found = prepare(settings, demo, Layout())
    assert found.folder != first.folder
    assert [list(each.train[0].labels) for each in (first, found)] == [[1, 0], [1, 1]]


def test_only_samples_with_rounded_gains_have_another_name(tmp_path: Path) -> None:
    data, demo = shards.write(tmp_path / "data", shards.solutions(2)), family("demo")[1]

    def more(**changes: Any) -> list[Any]:
        settings = config(tmp_path, data, **changes)
        return _parts(settings, "d", demo, Layout(), Labels(0.0, 0.0))[10:]

    assert more(target__kind="advantage", target__tolerance=0.1) == ["exact gains"]
    assert more(target__kind="advantage") == more() == []


def test_images_are_stored_once(tmp_path: Path) -> None:
    found = prepared(tmp_path, shards.solutions(3, 4))
    with pa.ipc.open_file(pa.memory_map(str(found.folder / "images.arrow"))) as file:
        assert file.read_all().num_rows == 3
    assert found.train[0].images == found.train[1].images == [shards.picture(0)]


def test_shards_of_another_schema_are_one_line(tmp_path: Path) -> None:
    fields = [field for field in PUBLISHED_SCHEMA if field.name != "steps_with_score"]
    shards.write(tmp_path / "data", [], pa.schema(fields))
    with pytest.raises(UserError, match="has no column 'steps_with_score'"):
        prepare(config(tmp_path, str(tmp_path / "data")), family("demo")[1], Layout())
    (tmp_path / "data/train-00000-of-00001.parquet").write_text("no")
    with pytest.raises(UserError, match="not a Parquet file"):
        prepare(config(tmp_path, str(tmp_path / "data")), family("demo")[1], Layout())
    with pytest.raises(UserError, match=r"holds no \.parquet shards"):
        prepare(config(tmp_path, str(tmp_path)), family("demo")[1], Layout())


def test_how_the_dataset_was_cut_goes_along(tmp_path: Path) -> None:
    data = shards.write(tmp_path / "data", shards.solutions(2))
    demo = family("demo")[1]
    assert prepare(config(tmp_path / "a", data), demo, Layout()).split is None
    (tmp_path / "data/stats.json").write_text(json.dumps({"split": {"kind": "sentences", "max_steps": 20}}))
    found = prepare(config(tmp_path / "b", data), demo, Layout()).split
    assert found == SplitConfig(kind="sentences", max_steps=20)


def test_nothing_to_train_on_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leaves no sample to train on: no_measured_step"):
        prepared(tmp_path, [shards.row(0, 0, [shards.step("a", None)])])


def test_shares_of_draws_that_stopped_at_a_success_are_no_target(tmp_path: Path) -> None:
    data = shards.write(tmp_path / "data", shards.solutions(2))
    (tmp_path / "data/stats.json").write_text(
        json.dumps({"policies": [{"strategy": RolloutConfig(strategy="first_success").description}]})
    )
    for changes in ({"target__kind": "soft"}, {"target__kind": "advantage"}, {"target__threshold": 0.5}):
        with pytest.raises(UserError, match="stops at a success"):
            prepare(config(tmp_path, data, **changes), family("demo")[1], Layout())
    assert len(prepare(config(tmp_path, data, target__kind="counts"), family("demo")[1], Layout()).train) == 4
