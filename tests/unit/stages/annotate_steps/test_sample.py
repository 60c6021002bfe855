"""What people are to label: balanced solutions, and steps for an audit that publishing puts on the card."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate_steps.app import create_app
from stages.annotate_steps.export import export_audit
from stages.annotate_steps.labels import Entry, Log
from stages.annotate_steps.report import build, text
from stages.annotate_steps.sample import SampleSettings, sample
from stages.annotate_steps.tasks import RULES, read_tasks
from stages.publish.hand_labels import NAME, precision, section


def test_solutions_are_balanced_by_source_and_answer(made: Path, tmp_path: Path) -> None:
    sample(str(made / "run"), str(tmp_path / "bench"), SampleSettings(8, None, (), 1.0, 0))
    folder = read_tasks(str(tmp_path / "bench"))
    kinds = Counter((task.source, task.correct) for task in folder.tasks.values())
    assert set(kinds.values()) == {2}
    assert len(kinds) == 4
    task = next(iter(folder.tasks.values()))
    assert task.ask == tuple(range(len(task.steps)))
    assert len(task.scores) == len(task.labels) == len(task.steps)
    assert folder.picture(task.images[0])[:4] == b"\x89PNG"


def test_the_page_says_whether_a_label_is_about_the_step_or_the_prefix(made: Path, tmp_path: Path) -> None:
    many = {"solutions": "step", "steps": "prefix"}
    for how, rule in many.items():
        main(["annotate", "sample", str(made / "data"), "--out", str(tmp_path / how), f"--{how}", "2"])
        folder = read_tasks(str(tmp_path / how))
        assert folder.about["labels_are_about"] == rule
        client = TestClient(create_app(folder))
        session = client.post("/start", json={"name": "Ann"}).json()["session"]
        assert RULES[rule] in client.get(f"/label/{session}").text
    (tmp_path / "steps/annotation.json").write_text('{"labels_are_about": "steps"}')
    with pytest.raises(UserError, match="labels_are_about must be step or prefix, not 'steps'"):
        read_tasks(str(tmp_path / "steps"))


def test_the_same_seed_draws_the_same(made: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sample(str(made / "data"), str(tmp_path / name), SampleSettings(5, None, (), 1.0, seed))
    a, b, c = (list(read_tasks(str(tmp_path / name)).tasks) for name in "abc")
    assert a == b != c


def test_a_folder_that_holds_something_is_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "bench/labels").mkdir(parents=True)
    with pytest.raises(UserError, match="labels are never drawn over"):
        sample(str(made / "data"), str(tmp_path / "bench"), SampleSettings(5, None, (), 1.0, 0))


def test_an_audit_asks_for_steps_with_an_mc_label_half_of_each(made: Path, tmp_path: Path) -> None:
    sample(str(made / "data"), str(tmp_path / "audit"), SampleSettings(None, 12, (), 1.0, 0))
    folder = read_tasks(str(tmp_path / "audit"))
    asked = [(task, task.ask[0]) for task in folder.tasks.values()]
    assert Counter(task.labels[step] for task, step in asked) == {"+": 6, "-": 6}
    assert all(step < len(task.steps) - 1 for task, step in asked), "the last steps have the solutions' own verdicts"
    assert folder.about["label_shares"]["+"] == pytest.approx(6 / 8)


def test_an_audit_gives_the_precision_of_the_labels_and_publishing_puts_it_on_the_card(
    made: Path, tmp_path: Path
) -> None:
    sample(str(made / "data"), str(tmp_path / "audit"), SampleSettings(None, 12, (), 1.0, 0))
    folder = read_tasks(str(tmp_path / "audit"))
    log = Log(folder.path, "Ann")
    # People disagree with one label of each kind.
    wrong = {sign: next(key for key, task in folder.tasks.items() if task.labels[task.ask[0]] == sign) for sign in "+-"}
    for key, task in folder.tasks.items():
        right = (task.labels[task.ask[0]] == "+") != (key in wrong.values())
        log.add(Entry(key, task.ask[0], "correct" if right else "incorrect", "", "", 0))
    report = build(folder)
    assert [(one.sign, one.right, one.judged) for one in report.precision] == [("+", 5, 6), ("-", 5, 6)]
    assert report.overall is not None
    assert report.overall[0] == pytest.approx(5 / 6)
    assert "| `+`   |                6 |     5 | 83.3 | [43.6, 97.0]  |" in text(report, folder)
    run = tmp_path / "run"
    run.symlink_to(made / "run")
    assert "12 steps" in export_audit(folder, str(run))
    try:
        store = Store(str(run))
        found = section(store, str(made / "data"), store.filesystem)
        assert "12 steps of this dataset were labelled by hand, by one person, who did not see the labels." in found
        assert "| `-`   |                6 |     5 | 83.3 | [43.6, 97.0]  |" in found
        assert json.loads((run / NAME).read_text())["annotators"] == ["Ann"]
    finally:
        (run / NAME).unlink()
    assert section(store, str(made / "data"), store.filesystem) == ""


def test_precision_leaves_out_neutral_steps_and_steps_without_a_label() -> None:
    pairs = [("+", "correct"), ("+", "incorrect"), ("+", "neutral"), (None, "correct"), ("-", None)]
    plus, minus = precision(pairs)
    assert (plus.right, plus.judged, minus.judged, minus.share) == (1, 2, 0, None)


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "nowhere", "--out", "x", "--solutions", "3"],
        ["report", "nowhere"],
        ["nowhere"],
        ["export", "nowhere", "--run", "x"],
    ],
    ids=" ".join,
)
def test_a_place_that_is_not_there_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["annotate", *words])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
