"""What is said of each kind of label, on literal steps and on a small run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES
from stages.judge.answer import CATEGORIES, VERDICTS
from stages.judge.verdicts import JudgedSteps
from stages.label_kinds.measure import Agreement, against, agreement, compare, kinds_of
from stages.label_kinds.report import text
from stages.label_kinds.steps import RunSteps
from stages.label_rules import LABELS, ORIGINS
from stages.publish.dataset import republish
from stages.verify.version import verifier_version
from tests.documented import json_keys
from tests.unit.stages.publish.test_dataset import judged, write_run
from tests.unit.stages.publish.test_rows import read

RIGHT, WRONG, NONE = LABELS.index("+"), LABELS.index("-"), -1


def codes(text: str) -> np.ndarray:
    return np.array([{"+": RIGHT, "-": WRONG, " ": NONE}[letter] for letter in text])


def test_agreement_is_of_the_steps_that_both_label() -> None:
    half = agreement(codes("++- "), codes("+-  "))
    assert (half.steps, half.equal) == (2, 0.5)
    assert half.alpha == pytest.approx(0.0)
    assert agreement(codes("+-+-"), codes("+-+-")) == Agreement(4, 1.0, 1.0)
    assert agreement(codes("++"), codes("++")) == Agreement(2, 1.0, None)
    assert agreement(codes("+ "), codes(" +")) == Agreement(0, None, None)


def test_labels_are_held_against_a_truth_where_there_are_any() -> None:
    labels, truth = codes("++--+ "), np.array([True, False, False, True, True, False])
    found = against(labels, truth, np.array([0, 0, 0, 1, 1, 1]), labels >= 0, resamples=200)
    assert (found.steps, found.accuracy) == (5, 0.6)
    right, wrong = 2 * 2 / (2 * 2 + 1 + 1), 2 * 1 / (2 * 1 + 1 + 1)
    assert found.f1_right == pytest.approx(right)
    assert found.f1_wrong == pytest.approx(wrong)
    assert found.macro_f1 == pytest.approx((right + wrong) / 2)
    assert found.interval is not None
    assert found.interval[0] <= (right + wrong) / 2 <= found.interval[1]


def counted(*correct: int, of: int = 16) -> np.ndarray:
    draws = np.zeros((len(correct), len(VERDICT_STATUSES)), np.int64)
    draws[:, VERDICT_STATUSES.index("correct")] = correct
    draws[:, VERDICT_STATUSES.index("incorrect")] = of - np.array(correct)
    return draws


def run_steps(judge: str | None = None) -> RunSteps:
    """One solution of four measured steps: 16, 8, 1 and 0 of 16 draws are right."""
    said = {"+": "correct", "-": "incorrect", " ": "neutral"}
    verdicts = np.array([VERDICTS.index(said[letter]) for letter in judge or ""])
    categories = np.where(
        verdicts == VERDICTS.index("incorrect"), CATEGORIES.index("reading"), CATEGORIES.index("none")
    )
    return RunSteps(
        sources=["a"],
        source=np.zeros(4, np.int64),
        position=np.arange(1, 5),
        problem=np.zeros(4, np.int64),
        verdicts=np.array([VERDICT_STATUSES.index("incorrect")]),
        lengths=np.array([4]),
        origins=np.full(4, ORIGINS.index("measured")),
        draws=counted(16, 8, 1, 0),
        judged=None if judge is None else JudgedSteps(verdicts, categories, np.ones(4, np.int64)),
        truths={"oracle": np.array([True, True, False, False])},
        people=codes("+ --"),
    )


def test_every_kind_says_what_it_keeps_and_how_true_it_is() -> None:
    kinds = kinds_of(LabelConfig(), stops_at_success=False, judged=True)
    result = compare(run_steps("+-- "), kinds)
    found = {kind["name"]: kind for kind in result["kinds"]}
    assert {name: kind["labelled"] for name, kind in found.items()} == {
        "mc > 0": 4,
        "band 0.125 to 0.75": 3,
        "interval 90 % at 0.5": 3,
        "judge": 3,
        "consensus by step": 1,
        "consensus on the first error": 0,
    }
    assert found["band 0.125 to 0.75"]["kept_share"] == 0.75
    assert found["mc > 0"]["right_share"] == 0.75
    assert found["mc > 0"]["oracles"]["oracle"]["accuracy"] == 0.75
    assert found["band 0.125 to 0.75"]["oracles"]["oracle"]["accuracy"] == 1.0
    assert found["mc > 0"]["with_people"]["steps"] == 3
    assert found["judge"]["by_position"]["2"]["right_share"] == 0.0
    assert result["categories"] == {"reading": {"steps": 2, "wrong_by_mc": 0}}
    shown = text(result)
    assert "consensus on the first error" in shown
    assert "α with people" in shown


def test_without_a_judge_or_with_draws_that_stop_there_are_fewer_kinds() -> None:
    assert list(kinds_of(LabelConfig(threshold=0.25), False, False)) == [
        "mc > 0.25",
        "band 0.125 to 0.75",
        "interval 90 % at 0.25",
    ]
    assert list(kinds_of(LabelConfig(), True, True)) == ["mc > 0", "judge"]
    assert kinds_of(LabelConfig(kind="band", low=0.0), False, False)["band 0 to 0.75"].low == 0.0


def test_the_command_counts_what_publishing_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    republish([run], [])
    judged(Path(run), {row["id"]: row for row in read(tmp_path / "data/one")})
    capsys.readouterr()
    main(["label-kinds", run, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == json_keys("label-kinds")
    found = {kind["label"].get("kind", "mc"): kind for kind in told["kinds"][:5]}
    for kind in ("mc", "band", "judge", "consensus"):
        republish([run], [f"label.kind={kind}"])
        steps = [step for row in read(tmp_path / "data/one") for step in row["steps_with_score"]]
        assert found[kind]["labelled"] == sum(step["label"] is not None for step in steps)
    main(["label-kinds", run, "label.low=0.1", "label.kind=band"])
    assert "band 0.1 to 0.75" in capsys.readouterr().out
