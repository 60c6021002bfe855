"""What reward models learn from each kind: what can't be compared, where things go, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from demo.checks import label_kinds
from demo.checks.label_kinds import table, weighed
from pipeline.errors import UserError
from pipeline.store import Store
from stages.publish.dataset import republish
from stages.verify.version import verifier_version
from tests.unit.stages.publish.test_dataset import judged, write_run
from tests.unit.stages.publish.test_rows import read

pytestmark = pytest.mark.usefixtures("shared_verifiers")


def row(kind: str, judge: str | None, f1: float, tokens: int) -> dict[str, Any]:
    labels = {"macro_f1": f1, "interval": (f1 - 0.01, f1 + 0.01)}
    prm = {"roc_auc": 0.75, "macro_f1": f1 - 0.1, "macro_f1_interval": [f1 - 0.2, f1], "steps": 40, "problems": 8}
    truths = {"prefix": labels, "step": {"macro_f1": None, "interval": None}}
    return {
        "kind": kind,
        "judge": judge,
        "kept": 0.5,
        "tokens": tokens,
        "labels": truths,
        "prm": dict.fromkeys(truths, prm),
    }


def test_a_row_has_the_labels_and_the_model_by_each_truth() -> None:
    found = table([row("mc > 0", None, 0.9, 1000), row("judge", "anna", 0.8, 990)])
    cells = [cell.strip() for cell in found.splitlines()[3].strip("|").split("|")]
    assert cells[:5] == ["judge", "anna", "50.0 %", "0.800 [0.790, 0.810]", "– –"]
    assert "0.700 [0.600, 0.800]" in found
    assert cells[-2:] == ["0.750", "0.750"]
    assert "on 40 steps of 8 problems that no training saw. Each model read from 990 to 1,000 tokens." in found


@pytest.mark.parametrize("setting", ["target.kind=soft", "data.path=elsewhere", "data.held_out=0.5", "seed=1"])
def test_settings_that_change_what_is_compared_are_refused(tmp_path: Path, setting: str) -> None:
    with pytest.raises(UserError, match="all trainings learn the labels as they are published"):
        list(weighed(str(tmp_path), [], [], [setting], tmp_path))


def test_a_run_that_nobody_has_judged_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    with pytest.raises(UserError, match="nobody has judged this run: `visualprm judge"):
        list(weighed(str(run), [], [], [], tmp_path))


def all_right(store: Store) -> Callable[[str, Sequence[str]], list[bool]]:
    """An oracle for rows that are no problems of the demo."""
    return lambda problem_id, steps: [True] * len(steps)


def test_each_kind_is_published_and_read_for_as_many_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    republish([run], [])
    rows = {row["id"]: row for row in read(tmp_path / "data/one")}
    for name in ("anna", "ben"):
        judged(Path(run), rows, name)
    oracle = f"{__name__}:all_right"
    monkeypatch.setattr(label_kinds, "ORACLES", {"prefix": oracle, "step": oracle})
    read_once = {"mc-0": 1000, "judge-anna": 400}
    monkeypatch.setattr(label_kinds, "_tokens", lambda config: read_once.get(Path(config.data.path).name, 500))
    asked: dict[str, list[str]] = {}

    def trained(data: Path, settings: list[str], home: Path, name: str) -> Path:
        asked[data.name] = settings
        return home / data.name

    monkeypatch.setattr(label_kinds, "trained", trained)
    monkeypatch.setattr(label_kinds, "judged", lambda model, data, run: {"first": data.name})
    found = list(weighed(run, [], ["judge", "consensus by"], ["optim.epochs=6"], tmp_path / "home"))
    assert [(one["kind"], one["judge"]) for one in found] == [
        ("mc > 0", None),
        *((kind, who) for who in ("anna", "ben") for kind in ("judge", "consensus by step")),
    ]
    assert [one["tokens"] for one in found] == [6000] * 5
    assert asked["judge-anna"] == ["optim.epochs=6", "optim.epochs=15.0"]
    assert {one["prm"]["first"] for one in found} == {"mc-0"}
    labels = {
        one["judge"]: [step["label"] for row in read(Path(one["data"])) for step in row["steps_with_score"]]
        for one in found
        if one["kind"] in ("mc > 0", "judge")
    }
    assert labels["anna"] == labels["ben"] != labels[None]


def test_settings_may_come_after_options_as_make_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def stand_in(*arguments: Any) -> list[dict[str, Any]]:
        asked.append(arguments)
        return [row("mc > 0", None, 0.9, 1000)]

    monkeypatch.setattr(label_kinds, "weighed", stand_in)
    words = [
        "runs/x",
        "--judge",
        "oracle",
        "--home",
        str(tmp_path),
        "optim.epochs=2",
        "--only",
        "judge",
        "data.keep=0.5",
    ]
    monkeypatch.setattr("sys.argv", ["label_kinds", *words])
    label_kinds.main()
    assert asked == [("runs/x", ["oracle"], ["judge"], ["optim.epochs=2", "data.keep=0.5"], tmp_path)]
    assert "| mc > 0" in (tmp_path / "label_kinds.md").read_text()
