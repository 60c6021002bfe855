"""A dataset with labels of another kind: what its run would have been published with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.schemas import PUBLISHED_SCHEMA
from pipeline.store import Store
from stages.judge.of_dataset import JudgedDataset
from stages.publish.dataset import republish
from stages.publish.relabel import relabel
from stages.publish.whole import damage
from stages.verify.version import verifier_version
from tests.shards import row, step, write
from tests.unit.stages.publish.test_dataset import judged, write_run
from tests.unit.stages.publish.test_rows import read

pytestmark = pytest.mark.usefixtures("shared_verifiers")
KINDS = {
    "mc": ["label.threshold=0.25"],
    "band": ["label.kind=band"],
    "interval": ["label.kind=interval", "label.threshold=0.5", "label.confidence=0.5"],
    "judge": ["label.kind=judge"],
    "consensus": ["label.kind=consensus"],
    "first_error": ["label.kind=consensus", "label.agreement=first_error"],
}


def judged_both(tmp_path: Path, *settings: str) -> tuple[str, str]:
    """A run and its dataset, which the same judge has judged."""
    run = write_run(tmp_path / "one", "p1", *settings, verifier=verifier_version())
    republish([run], [])
    data = tmp_path / "data/one"
    judged(Path(run), {each["id"]: each for each in read(data)})
    hand_over(Path(run) / "judgements/anna", str(data))
    return run, str(data)


def hand_over(judgements: Path, dataset: str) -> None:
    """The judgements of a run, as those of the dataset would be."""
    own = Store(shutil.copytree(judgements, f"{dataset}.judgements/{judgements.name}"))
    own.write_json("ledger.json", {**own.read_json("ledger.json"), "ledger": JudgedDataset(dataset).key()})


def table(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_what_the_run_would_be_published_with(tmp_path: Path, kind: str) -> None:
    run, data = judged_both(tmp_path)
    republish([run], [*KINDS[kind], f"output_dir={tmp_path}/by-run"])
    relabel(data, [*KINDS[kind], f"output_dir={tmp_path}/by-data"])
    one, other = tmp_path / "by-run", tmp_path / "by-data"
    assert table(other).equals(table(one))
    assert table(other).schema.metadata == table(one).schema.metadata
    stats, wanted = (json.loads((folder / "stats.json").read_text()) for folder in (other, one))
    for key in ("total", "sources", "label", "policies", "engines", "split"):
        assert stats[key] == wanted[key]
    assert stats.get("judges") == wanted.get("judges")
    assert [(each["name"], each["rows"]) for each in stats["shards"]] == [("train-00000-of-00001.parquet", 24)]
    assert damage(str(other)) == {}
    card = (other / "README.md").read_text()
    assert card.startswith("---\npretty_name: one\n")
    assert "\n# by-data\n\nLabels of another kind for `one`;" in card
    assert ("judge_verdict" in card.partition("What follows is the card")[0]) is (
        kind in ("judge", "consensus", "first_error")
    )


def test_labels_of_another_kind_can_be_changed_again(tmp_path: Path) -> None:
    _, data = judged_both(tmp_path)
    relabel(data, ["label.kind=judge", f"output_dir={tmp_path}/judge"])
    relabel(str(tmp_path / "judge"), ["label.kind=mc", f"output_dir={tmp_path}/mc"])
    assert table(tmp_path / "mc").equals(table(Path(data)))
    with pytest.raises(
        UserError, match=r"judge: nobody has judged this dataset: call `visualprm judge .*/judge --with"
    ):
        relabel(str(tmp_path / "judge"), ["label.kind=consensus", f"output_dir={tmp_path}/again"])


def bare(folder: Path, rows: list[dict[str, Any]], mean_mc: float | None = 0.5, **more: Any) -> str:
    """A dataset as an import leaves it."""
    total = {"mean_mc": mean_mc, "incorrect_step_share": 0.5, "mixed_solution_share": 0.5}
    dataset = write(folder, rows, PUBLISHED_SCHEMA)
    figures = {"total": total, "sources": {"test": total}, "policies": [], "label": None, **more}
    (folder / "stats.json").write_text(json.dumps(figures))
    return dataset


def label(text: str, sign: str | None) -> dict[str, Any]:
    return {**step(text, None), "label": sign, "origin": "measured"}


def of(dataset: Path) -> list[list[str | None]]:
    return [[each["label"] for each in one["steps_with_score"]] for one in read(dataset)]


def test_consensus_of_an_imported_dataset_is_with_the_labels_that_it_came_with(tmp_path: Path) -> None:
    rows = [
        row(number, 0, [label("a", "+"), label("b", "+"), label("c", None), label("d", "-")]) for number in range(2)
    ]
    data = bare(tmp_path / "data", rows, mean_mc=None)
    run = tmp_path / "run"
    (run / "problems").mkdir(parents=True)
    problems = pa.table({"problem_id": [f"{number:032x}" for number in range(2)]})
    pq.write_table(problems, run / "problems/part.parquet")
    # `correct, incorrect, neutral, correct`, and of the second one: `incorrect, neutral, correct, incorrect`.
    judged(run, {each["id"]: each for each in [*rows, row(9, 0, [])][1:]} | {rows[0]["id"]: rows[0]}, problems=2)
    hand_over(run / "judgements/anna", data)
    relabel(data, ["label.kind=judge", f"output_dir={tmp_path}/judge"])
    relabel(data, ["label.kind=consensus", f"output_dir={tmp_path}/consensus"])
    assert of(tmp_path / "judge") == [[None, None, None, None], ["-", None, "+", "-"]]
    assert of(tmp_path / "consensus") == [[None, None, None, None], [None, None, None, "-"]]
    stats = json.loads((tmp_path / "consensus/stats.json").read_text())
    assert stats["total"]["label_kind"] == {"labelled_by_mc": 6, "kept": 1, "differing": 0, "kept_share": 1 / 6}
    assert stats["total"]["incorrect_step_share"] == 1.0
    assert stats["judges"][0]["name"] == "anna"


@pytest.mark.parametrize(
    ("mean_mc", "more", "setting", "words"),
    [
        (None, {}, "label.kind=band", "label.kind=band: .*it has no scores: choose another kind"),
        (None, {}, "label.threshold=0.5", "label.threshold=0.5: .*it has no scores"),
        (None, {"label": {"kind": "judge"}}, "label.kind=consensus", "no scores, and its labels are of kind judge"),
        (0.5, {"policies": [{"strategy": "first_success num_draws=16"}]}, "label.kind=band", "stops at a success"),
        (0.5, {"policies": [{"strategy": "first_success"}]}, "label.kind=consensus", "stops at a success"),
        (0.5, {"label": {"missing": "drop", "threshold": 0}}, "label.missing=miss", "are made with drop: leave it out"),
        (0.5, {}, "publish.row_group_rows=9", "only label.* and output_dir can be set"),
        (0.5, {}, "label.kind=judge", "nobody has judged this dataset"),
    ],
)  # fmt: skip
def test_what_a_dataset_lacks_is_refused_in_one_line(
    tmp_path: Path, mean_mc: float | None, more: dict[str, Any], setting: str, words: str
) -> None:
    data = bare(tmp_path / "data", [row(0, 0, [step("a", 3)])], mean_mc, **more)
    with pytest.raises(UserError, match=words):
        relabel(data, [setting, f"output_dir={tmp_path}/out"])
    assert not (tmp_path / "out").exists()


def test_a_score_without_counts_has_no_interval(tmp_path: Path) -> None:
    shares = [{**step(text, k), "num_mc_correct": None, "num_mc_total": None} for text, k in (("a", 14), ("b", 1))]
    data = bare(tmp_path / "data", [row(0, 0, shares)])
    relabel(data, ["label.kind=band", f"output_dir={tmp_path}/band"])
    assert of(tmp_path / "band") == [["+", "-"]]
    with pytest.raises(UserError, match=r"label\.kind=interval: there are scores without counts"):
        relabel(data, ["label.kind=interval", "label.threshold=0.5", f"output_dir={tmp_path}/interval"])
    assert not (tmp_path / "interval").exists()


def test_the_command_names_a_new_place_for_one_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bare(tmp_path / "data", [row(0, 0, [step("a", 3)])])

    def refused(*words: str) -> str:
        with pytest.raises(SystemExit, match="2"):
            main(["publish", *words])
        return capsys.readouterr().err

    assert "say where with output_dir=" in refused(data, "label.kind=band")
    assert "is the dataset itself" in refused(data, "label.kind=band", f"output_dir={data}/")
    (tmp_path / "latest").symlink_to("data")
    for source, out in ((tmp_path / "latest", data), (data, tmp_path / "latest")):
        assert "is the dataset itself" in refused(str(source), "label.kind=band", f"output_dir={out}")
    assert "is a dataset, which has no draws: name it alone" in refused(data, "--reverify", f"output_dir={tmp_path}/x")
    assert "name it alone" in refused("runs/a", data, f"output_dir={tmp_path}/x")
    main(["publish", data, "label.kind=band", f"output_dir={tmp_path}/out"])
    assert of(tmp_path / "out") == [[None]]
    (Path(data) / "stats.json").unlink()
    assert "has no stats.json, which says what its labels are" in refused(data, f"output_dir={tmp_path}/x")


def test_a_source_without_rows_stays_in_the_statistics_and_no_rule_of_counting_is_made_up(tmp_path: Path) -> None:
    empty = {"mean_mc": None, "incorrect_step_share": None, "mixed_solution_share": None, "quarantined": {"cut": 3}}
    data = bare(tmp_path / "data", [row(0, 0, [step("a", 3)])])
    figures = json.loads((tmp_path / "data/stats.json").read_text())
    figures["sources"]["gone"] = empty
    (tmp_path / "data/stats.json").write_text(json.dumps(figures))
    relabel(data, ["label.kind=band", f"output_dir={tmp_path}/out"])
    stats = json.loads((tmp_path / "out/stats.json").read_text())
    assert stats["sources"]["gone"]["quarantined"] == {"cut": 3}
    assert stats["sources"]["gone"]["label_kind"] == {
        "labelled_by_mc": 0,
        "kept": 0,
        "differing": 0,
        "kept_share": None,
    }
    assert stats["label"]["missing"] is None
    assert "| gone" in (tmp_path / "out/README.md").read_text()


def test_a_row_without_steps_is_refused_by_its_id(tmp_path: Path) -> None:
    rows = [row(0, 0, [step("a", 3)]), {**row(1, 0, [step("a", 3)]), "steps_with_score": None}]
    data = bare(tmp_path / "data", rows)
    with pytest.raises(UserError, match=rf"^{re.escape(rows[1]['id'])}: has no steps_with_score: remove the row$"):
        relabel(data, ["label.kind=band", f"output_dir={tmp_path}/out"])
    assert not (tmp_path / "out").exists()
