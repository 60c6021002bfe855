"""Kinds of labels of a dataset: what `label-kinds` says of its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.errors import UserError
from stages.label_kinds.published import read_published
from stages.label_kinds.run import compared
from tests.shards import row, step, write
from tests.unit.stages.publish.test_relabel import bare, judged_both, label

pytestmark = pytest.mark.usefixtures("shared_verifiers")


def test_a_dataset_has_the_figures_of_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = judged_both(tmp_path)
    of_run = compared(run, (), None, [])
    capsys.readouterr()
    main(["label-kinds", data, "--json"])
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(of_run))
    assert len(of_run["kinds"]) == 6


def names(dataset: str, *overrides: str) -> list[str]:
    return [kind["name"] for kind in compared(dataset, overrides, None, [])["kinds"]]


def test_kinds_that_need_what_is_not_there_are_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [row(0, 0, [label("a", "+"), label("b", None)])]
    assert names(bare(tmp_path / "labels", rows, mean_mc=None)) == ["mc > 0"]
    shares = [{**step(text, 3), "num_mc_correct": None, "num_mc_total": None} for text in "ab"]
    assert names(bare(tmp_path / "shares", [row(0, 0, shares)])) == ["mc > 0", "band 0.125 to 0.75"]
    stopped = bare(tmp_path / "stopped", [row(0, 0, [step("a", 3)])], policies=[{"strategy": "first_success"}])
    assert names(stopped) == ["mc > 0"]
    assert (
        names(bare(tmp_path / "all", [row(0, 0, [step("a", 3)])]), "label.threshold=0.25")[2] == "interval 90 % at 0.25"
    )


def test_what_is_no_run_and_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run and no dataset is here"):
        compared(str(tmp_path), (), None, [])
    data = bare(tmp_path / "data", [row(0, 0, [step("a", 3)])])
    with pytest.raises(UserError, match=r"--oracle: .* is a dataset, and an oracle is asked about a run"):
        compared(data, (), None, ["a:b"])
    with pytest.raises(UserError, match="nobody has judged this dataset"):
        compared(data, (), "anna", [])


def test_rows_of_a_problem_are_one_cluster_wherever_they_lie(tmp_path: Path) -> None:
    rows = [row(problem, solution, [step("a", 3), step("b", 0)]) for solution in range(2) for problem in (3, 1)]
    steps = read_published(write(tmp_path / "data", rows), "mc", None)
    assert steps.problem.tolist() == [1, 1, 0, 0] * 2
    assert steps.position.tolist() == [1, 2] * 4
    assert np.bincount(steps.source).tolist() == [8]
