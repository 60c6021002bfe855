"""Which labels a training learns of which dataset, what it is told, and that older trainings resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.schemas import PUBLISHED_SCHEMA, PUBLISHED_STEP
from pipeline.settings import dump_settings
from stages.label_rules import label_of
from stages.publish.dataset import republish
from stages.publish.reading import read_rows
from stages.reward.render import Layout
from stages.train import run as training
from stages.train.config import TrainConfig
from stages.train.labels import Labels, Tally, choose, tally
from stages.train.prepare import Prepared, prepare, read_labels
from stages.train.run import train
from stages.train.samples import UNMEASURED
from stages.train.shards import find_shards
from stages.train.targets import LABELS
from stages.verify.version import verifier_version
from tests import shards
from tests.families import POLICY, family
from tests.unit.stages.publish.test_dataset import write_run
from tests.unit.stages.train.test_prepare import config

DRAWN = (16, 8, 4, 0)
"""Successes of 16 draws of the steps of every solution below: two are above 0.25, three above 0."""


def dataset(folder: Path, threshold: float, stated: bool = True) -> str:
    """Solutions published with a threshold; `stated` is what publishing writes by now."""
    steps = [shards.step(f"step {k}", k) for k in DRAWN] + [shards.step("step", None)]
    labelled = [{**step, "label": label_of(step["score"], step["origin"], threshold)} for step in steps]
    path = shards.write(folder / "data", [shards.row(problem, 0, labelled) for problem in range(3)])
    rule = {"label": {"threshold": threshold, "missing": "miss"}} if stated else {}
    (folder / "data/stats.json").write_text(json.dumps({"policies": [], **rule}))
    return path


def learnt(settings: TrainConfig) -> str:
    """The labels of the first sample."""
    names = tuple(LABELS[settings.target.kind])
    found = prepare(settings, family("demo")[1], Layout(names))
    return "".join(names[label] for label in found.train[0].labels)


def test_a_training_learns_the_labels_as_they_were_published(tmp_path: Path) -> None:
    """With `label.threshold=0.25` published, a training with the defaults learnt labels of threshold 0."""
    settings = config(tmp_path, dataset(tmp_path, 0.25))
    assert learnt(settings) == "++--"
    assert read_labels(settings).note is None


def test_what_publish_wrote_is_what_a_training_learns(tmp_path: Path) -> None:
    """The same from a run: the column of the shards, under each threshold that it is published with."""
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    columns = []
    for threshold in (0.0, 0.5):
        out = tmp_path / f"out-{threshold}"
        republish([run], [f"label.threshold={threshold}", f"output_dir={out}"])
        settings = config(tmp_path, str(out), data__max_tokens=10_000)
        labels = read_labels(settings)
        assert labels == Labels(threshold, threshold, threshold)
        column = {row["id"]: [step["label"] for step in row["steps_with_score"]] for row in read_rows(str(out))}
        found = prepare(settings, family("demo")[1], Layout(("+", "-")), labels)
        assert len(found.train)
        for sample in found.train:
            learnt = [None if label == UNMEASURED else "+-"[label] for label in sample.labels]
            assert learnt == column[sample.id][: len(learnt)]
            assert set(column[sample.id][len(learnt) :]) <= {None}
        columns.append(column)
    assert columns[0] != columns[1]


def test_another_threshold_relabels_and_says_how_many(tmp_path: Path) -> None:
    path = dataset(tmp_path, 0.25)
    settings = config(tmp_path, path, target__threshold=0.0)
    assert learnt(settings) == "+++-"
    assert read_labels(settings).note == (
        f"target.threshold=0: 3 of 12 labels change; {path} was published with threshold 0.25"
    )
    assert read_labels(config(tmp_path, path, target__threshold=0.25)).note is None


def banded(folder: Path) -> str:
    """The same solutions, of which the labels of 4 and 8 draws of 16 were withheld."""
    labels: list[str | None] = ["+", None, None, "-", None]
    steps = [shards.step(f"step {k}", k) for k in DRAWN] + [shards.step("step", None)]
    labelled = [{**step, "label": label} for step, label in zip(steps, labels, strict=True)]
    path = shards.write(folder / "data", [shards.row(problem, 0, labelled) for problem in range(3)])
    rule = {"kind": "band", "low": 0.125, "high": 0.75, "missing": "miss"}
    (folder / "data/stats.json").write_text(json.dumps({"policies": [], "label": rule}))
    return path


@pytest.mark.parametrize("kind", ["value", "soft", "counts"])
def test_labels_that_were_withheld_stay_so(tmp_path: Path, kind: str) -> None:
    settings = config(tmp_path, banded(tmp_path), target__kind=kind)
    (sample, *_) = prepare(settings, family("demo")[1], Layout(("+", "-"))).train
    assert [label if label != UNMEASURED else None for label in sample.labels] == [0, None, None, 1]
    assert read_labels(settings).note == "labels: 6 of kind band; 6 doubtful steps have none"


def test_a_threshold_labels_what_was_withheld_and_says_so(tmp_path: Path) -> None:
    path = banded(tmp_path)
    settings = config(tmp_path, path, target__threshold=0.0)
    assert learnt(settings) == "+++-"
    assert read_labels(settings).note == (
        f"target.threshold=0: 6 of 6 labels change; {path} was published with label.kind=band"
    )


def test_advantages_do_not_read_the_kind_and_say_so(tmp_path: Path) -> None:
    note = read_labels(config(tmp_path, banded(tmp_path), target__kind="advantage")).note
    assert note == "target.kind=advantage learns from scores: labels of kind band have no say"


def test_another_threshold_that_changes_nothing_says_so(tmp_path: Path) -> None:
    note = read_labels(config(tmp_path, dataset(tmp_path, 0.25), target__threshold=0.3)).note
    assert note is not None
    assert "0 of 12 labels change" in note


@pytest.mark.parametrize("kind", ["soft", "counts"])
def test_targets_of_scores_take_the_published_label_for_their_metrics(tmp_path: Path, kind: str) -> None:
    assert learnt(config(tmp_path, dataset(tmp_path, 0.25), target__kind=kind)) == "++--"


@pytest.mark.parametrize("threshold", [0.0, 0.25])
def test_an_older_dataset_is_taken_as_published_and_told(tmp_path: Path, threshold: float) -> None:
    path = dataset(tmp_path, threshold, stated=False)
    settings = config(tmp_path, path)
    assert learnt(settings) == ("+++-" if threshold == 0 else "++--")
    assert read_labels(settings).note == f"labels: {path} states no rule for them: 12 labels are taken as published"
    other = read_labels(config(tmp_path, path, target__threshold=0.5)).note
    changed = 6 if threshold == 0 else 3
    assert other == f"target.threshold=0.5: {changed} of 12 labels change; {path} states no rule for them"


def test_scores_alone_are_labelled_by_the_papers_threshold(tmp_path: Path) -> None:
    """Shards from elsewhere: neither `label` nor `origin`, and 0 of 0 draws where nothing was drawn."""
    kept = [field for field in PUBLISHED_STEP if field.name not in ("label", "origin")]
    fields = [
        pa.field(field.name, pa.list_(pa.struct(kept))) if field.name == "steps_with_score" else field
        for field in PUBLISHED_SCHEMA
    ]
    undrawn = {"step": "late", "score": 0.0, "num_mc_correct": 0, "num_mc_total": 0}
    rows = [shards.row(problem, 0, [*map(_bare, DRAWN), undrawn]) for problem in range(2)]
    settings = config(tmp_path, shards.write(tmp_path / "data", rows, pa.schema(fields)))
    assert learnt(settings) == "+++-"
    labels = read_labels(settings)
    assert (
        labels.note == f"labels: {settings.data.path} states no rule for them: 8 steps with a score alone are + above 0"
    )
    assert learnt(config(tmp_path, settings.data.path, target__threshold=0.25)) == "++--"


def _bare(k: int) -> Mapping[str, Any]:
    return {"step": f"step {k}", "score": k / 16, "num_mc_correct": k, "num_mc_total": 16}


def test_labels_alone_are_learnt_and_lost_above_0(tmp_path: Path) -> None:
    """A corpus of conversations: its scores were not released."""
    steps = [{**shards.step(name, None), "label": name, "origin": "measured"} for name in "+-"]
    path = shards.write(tmp_path / "data", [shards.row(0, 0, steps)])
    (tmp_path / "data/stats.json").write_text(json.dumps({"policies": [], "label": None}))
    assert learnt(config(tmp_path, path)) == "+-"
    note = read_labels(config(tmp_path, path, target__threshold=0.25)).note
    assert note == (
        f"target.threshold=0.25: 2 of 2 labels change; {path} states no rule for them; 2 steps lose their label, for "
        "they have no score"
    )


def test_a_rule_that_the_labels_do_not_follow_is_told(tmp_path: Path) -> None:
    path = dataset(tmp_path, 0.25)
    (tmp_path / "data/stats.json").write_text(json.dumps({"label": {"threshold": 0.0, "missing": "miss"}}))
    labels = read_labels(config(tmp_path, path))
    assert learnt(config(tmp_path, path)) == "++--"
    assert labels.note == (
        f"labels: {path}/stats.json states threshold 0, by which 3 of 12 labels would be others: all are taken as "
        "published"
    )


def test_the_same_labels_are_the_same_samples(tmp_path: Path) -> None:
    """Also those that a version prepared in which the default was a threshold of 0."""

    def made(path: str, **changes: Any) -> Prepared:
        return prepare(config(tmp_path, path, **changes), family("demo")[1], Layout())

    zero, quarter = dataset(tmp_path / "zero", 0.0), dataset(tmp_path / "quarter", 0.25)
    assert made(zero).folder == made(zero, target__threshold=0.0).folder
    assert made(quarter).folder == made(quarter, target__threshold=0.25).folder
    assert made(quarter).folder != made(quarter, target__threshold=0.0).folder
    older = dataset(tmp_path / "older", 0.0, stated=False)
    assert made(older).folder == made(older, target__threshold=0.0).folder


def test_advantages_read_no_label_and_say_nothing_of_them(tmp_path: Path) -> None:
    path = dataset(tmp_path, 0.25, stated=False)
    assert read_labels(config(tmp_path, path, target__kind="advantage")) == Labels(0.0, 0.0)
    filtered = read_labels(config(tmp_path, path, target__kind="advantage", data__drop_all_right=True))
    assert filtered.note is not None


steps = st.dictionaries(
    st.tuples(
        st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        st.sampled_from(["measured", "implied", "not_sampled"]),
        st.none() | st.sampled_from(["+", "-"]),
    ),
    st.integers(1, 5),
)


@given(steps, st.none() | st.sampled_from([0.0, 0.25, 0.5]))
def test_labels_that_one_threshold_gives_are_those_that_were_published(found: Tally, stated: float | None) -> None:
    labels = choose(found, None, stated, "data")
    for score, origin, label in found:
        row = {"steps_with_score": [{"score": score, "origin": origin, "label": label, "num_mc_total": None}]}
        given_label = labels.row(row)["steps_with_score"][0]["label"]
        bare = score is not None and label is None
        assert given_label == (label_of(score, origin, stated or 0.0) if bare else label)


def test_steps_are_counted_by_score_origin_and_label(tmp_path: Path) -> None:
    path = dataset(tmp_path, 0.25)
    counted = tally(find_shards(path))
    assert counted == {
        (1.0, "measured", "+"): 3,
        (0.5, "measured", "+"): 3,
        (0.25, "measured", "-"): 3,
        (0.0, "measured", "-"): 3,
        (None, "not_sampled", None): 3,
    }


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A training that a version with `target.threshold: 0.0` as its default began; what would train does nothing."""
    for name in ("fit", "_result_summary"):
        monkeypatch.setattr(training, name, lambda *_: "")
    settings = config(tmp_path, dataset(tmp_path, 0.0, stated=False), target__threshold=0.0, model__base=str(POLICY))
    train(settings)
    checkpoint = Path(settings.run_dir) / "checkpoints/checkpoint-4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").touch()
    assert yaml.safe_load((Path(settings.run_dir) / "train.yaml").read_text())["target"]["threshold"] == 0.0
    return settings


def test_an_older_training_resumes_with_the_new_default(older: TrainConfig, tmp_path: Path) -> None:
    def train_with(**changes: Any) -> None:
        train(config(tmp_path, older.data.path, model__base=str(POLICY), **changes))

    train_with()
    assert yaml.safe_load((Path(older.run_dir) / "train.yaml").read_text())["target"]["threshold"] is None
    train_with(target__threshold=0.0)
    with pytest.raises(UserError, match=r"training with other settings: target\.threshold \(0\.0, now 0\.5\): restore"):
        train_with(target__threshold=0.5)


def test_an_older_training_of_other_labels_than_published_is_not_resumed_silently(
    older: TrainConfig, tmp_path: Path
) -> None:
    dataset(tmp_path, 0.25)
    plain = config(tmp_path, older.data.path, model__base=str(POLICY))
    (Path(older.run_dir) / "train.yaml").write_text(dump_settings(older))
    with pytest.raises(
        UserError, match=r"other settings: target\.threshold \(0\.0, now the labels as published\): restore"
    ):
        train(plain)
