"""The page for people, over HTTP: labels, undo, resume, who sees what, disagreements; report, export, evaluate."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.cli import main
from stages.annotate_steps.app import create_app
from stages.annotate_steps.labels import current, read_entries
from stages.annotate_steps.tasks import RULES, TaskFolder, read_tasks
from stages.evaluate.bench import read_bench
from tests.unit.stages.browse import places
from tests.unit.stages.browse.test_app import NASTY, check_markup, hostile


@pytest.fixture
def client(bench: TaskFolder) -> TestClient:
    return TestClient(create_app(bench))


def start(client: TestClient, name: str) -> str:
    return f"/label/{client.post('/start', json={'name': name}).json()['session']}"


def shown(client: TestClient, session: str, query: str = "") -> str:
    """The task on the page."""
    found = re.search(r'data-task="([^"]+)"', client.get(f"{session}/task{query}").text)
    assert found
    return found[1]


def label_all(client: TestClient, session: str, bench: TaskFolder, label: str = "correct") -> None:
    while found := re.search(r'data-task="([^"]+)"', client.get(session).text):
        for step in bench.tasks[found[1]].ask:
            client.post(session, json={"task": found[1], "step": step, "label": label}).raise_for_status()


def test_mc_and_other_labels_are_hidden_until_asked_for(client: TestClient, bench: TaskFolder) -> None:
    ann, bo = start(client, "Ann"), start(client, "Bo")
    task = shown(client, ann)
    client.post(bo, json={"task": task, "step": 0, "label": "incorrect", "category": "logic", "note": "no"})
    page = client.get(ann).text
    assert not re.search(r"incorrect</b>|\d/16|0\.\d\d|Bo", page.partition("<main")[2].replace("data-do", ""))
    client.post(ann, json={"task": task, "step": 0, "label": "correct"})
    hidden = client.post(f"{ann}/look", json={"task": task, "steps": 1}).text
    assert "<td>Bo: incorrect (no)</td>" in hidden
    assert hidden.count("<tr>") == 2, "the head, and the one step that is shown"
    both = client.post(f"{bo}/look", json={"task": task, "steps": 2}).text
    assert both.count("<td>–</td></tr>") == 1, "nobody else labelled step 2"
    assert "Ann: correct" in both
    client.post(ann, json={"task": task, "step": 1, "label": "correct"})
    saws = {entry.step: entry.saw for entry in read_entries(bench.path) if entry.annotator == "Ann" and entry.label}
    assert saws == {0: False, 1: True}


def test_a_note_after_a_look_leaves_a_blind_label_blind(client: TestClient, bench: TaskFolder) -> None:
    ann = start(client, "Ann")
    task = shown(client, ann)
    blind = {"task": task, "step": 0, "label": "incorrect", "category": "logic"}
    client.post(ann, json=blind)
    client.post(f"{ann}/look", json={"task": task, "steps": 1})
    client.post(ann, json={"task": task, "step": 1, "label": "correct"})

    def standing(step: int) -> tuple[str | None, str | None, str, bool]:
        held = current(read_entries(bench.path))[task, step]["Ann"]
        return held.label, held.category, held.note, held.saw

    client.post(ann, json={**blind, "note": "no unit"})
    assert standing(0) == ("incorrect", "logic", "no unit", False)
    # In a session that has not looked, one that was given after a look stays so.
    client.post(start(client, "Ann"), json={"task": task, "step": 1, "label": "correct", "note": "yes"})
    assert standing(1) == ("correct", None, "yes", True)
    client.post(ann, json={**blind, "category": "arithmetic", "note": "no unit"})
    assert standing(0) == ("incorrect", "arithmetic", "no unit", True), "another label is no blind one"


def test_a_label_is_on_the_disk_when_the_page_hears_of_it(client: TestClient, bench: TaskFolder) -> None:
    ann = start(client, "Ann")
    task = shown(client, ann)
    assert client.post(
        ann, json={"task": task, "step": 1, "label": "incorrect", "category": "reading", "note": "é"}
    ).json() == {"kept": True}
    held = current(read_entries(bench.path))[task, 1]["Ann"]
    assert (held.label, held.category, held.note) == ("incorrect", "reading", "é")


def test_a_note_stands_in_its_field_when_the_step_is_shown_again(client: TestClient, bench: TaskFolder) -> None:
    ann = start(client, "Ann")
    task = shown(client, ann)
    said = {"task": task, "step": 0, "label": "incorrect", "category": "logic"}
    client.post(ann, json=said)
    client.post(ann, json={**said, "note": 'a "note"'})
    page = client.get(f"{ann}/task", params={"task": task}).text
    assert 'data-label="incorrect" data-category="logic"' in page
    assert 'value="a &#34;note&#34;"' in page
    assert client.post(f"{ann}/undo", json={}).json() == {"task": task, "step": 0}
    assert current(read_entries(bench.path)) == {}
    assert client.post(f"{ann}/undo", json={}).status_code == 409, "the label and its note are one thing to take back"


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_of_the_set_stands_on_every_page(bench: TaskFolder, rule: str) -> None:
    client = TestClient(create_app(replace(bench, about={**bench.about, "labels_are_about": rule})))
    ann = start(client, "Ann")
    for path in ("/", ann, f"{ann}/disagreements"):
        page = client.get(path).text
        assert [other for other in RULES if RULES[other] in page] == [rule]
        assert "is neutral." in page


def test_nobody_is_chosen_before_a_name_is(client: TestClient) -> None:
    assert re.search(r"<select[^>]* required><option value=\"\">", client.get("/").text)
    assert client.post("/start", json={"name": ""}).status_code == 422


def test_undo_takes_back_one_label_after_the_other_also_of_an_earlier_session(
    client: TestClient, bench: TaskFolder
) -> None:
    ann = start(client, "Ann")
    task = shown(client, ann)
    for step in range(3):
        client.post(ann, json={"task": task, "step": step, "label": "correct"})
    assert client.post(f"{ann}/undo", json={}).json() == {"task": task, "step": 2}
    again = TestClient(create_app(bench))
    ann = start(again, "Ann")
    assert again.post(f"{ann}/undo", json={}).json() == {"task": task, "step": 1}
    assert list(current(read_entries(bench.path))) == [(task, 0)]
    assert again.post(f"{ann}/undo", json={}).json() == {"task": task, "step": 0}
    assert again.post(f"{ann}/undo", json={}).status_code == 409


def test_a_new_session_goes_on_where_the_name_was(client: TestClient, bench: TaskFolder) -> None:
    ann = start(client, "Ann")
    first = shown(client, ann)
    for step in bench.tasks[first].ask:
        client.post(ann, json={"task": first, "step": step, "label": "neutral"})
    second = shown(client, ann)
    assert second != first
    client.post(ann, json={"task": second, "step": 0, "label": "correct"})
    again = TestClient(create_app(read_tasks(str(bench.path))))
    ann = start(again, "Ann")
    assert shown(again, ann) == second
    assert "1 of 6 solutions done" in again.get(ann).text
    assert again.get(ann).text.count('class="step asked done correct"') == 1


def test_two_sessions_of_one_name_are_told_of(client: TestClient) -> None:
    first = start(client, "Ann")
    assert "Another session" not in client.get(first).text
    second = start(client, "Ann")
    assert first != second
    assert "Another session of Ann is open" in client.get(first).text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"task": "none", "step": 0, "label": "correct"}, 404),
        ({"step": 99, "label": "correct"}, 422),
        ({"step": -1, "label": "correct"}, 422),
        ({"step": 0, "label": "good"}, 422),
        ({"step": 0, "label": "incorrect", "category": "mood"}, 422),
        ({"step": 0, "label": "correct", "other": 1}, 422),
    ],
)
def test_what_is_no_label_is_refused_and_not_written(
    client: TestClient, bench: TaskFolder, body: dict, status: int
) -> None:
    ann = start(client, "Ann")
    assert client.post(ann, json={"task": shown(client, ann), **body}).status_code == status
    assert read_entries(bench.path) == []


def test_a_name_that_does_not_label_here_is_told_who_does(client: TestClient) -> None:
    answer = client.post("/start", json={"name": "Zoe"})
    assert answer.status_code == 422
    assert "Ann, Bo" in answer.json()["error"]
    assert client.get("/label/nothing").status_code == 404


def test_from_labels_of_two_people_to_a_bench_that_evaluate_reads(
    client: TestClient, bench: TaskFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ann, bo = start(client, "Ann"), start(client, "Bo")
    label_all(client, ann, bench)
    label_all(client, bo, bench)
    assert "All done" in client.get(ann).text
    task = next(iter(bench.tasks))
    client.post(bo, json={"task": task, "step": 1, "label": "incorrect", "category": "arithmetic"})
    main(["annotate", "report", str(bench.path)])
    told = capsys.readouterr().out
    assert "Ann" in told
    assert "6 of 6" in told
    assert f"{task} step 2" in told
    assert "1 correct/incorrect" in told
    page = client.get(f"{ann}/disagreements").text
    assert page.count('class="dispute"') == 1
    assert "Bo: <b>incorrect</b>, arithmetic" in page
    assert f"reference answer <b>{bench.tasks[task].answer}</b>" in page
    assert page.count('aria-label="Picture') == len(bench.tasks[task].images)
    assert 'aria-current="page">Disagreements' in page
    main(["annotate", "export", str(bench.path), "--out", str(tmp_path / "first")])
    assert "5 solutions, 1 left out: disagreement not settled" in capsys.readouterr().err
    client.post(ann, json={"task": task, "step": 1, "label": "incorrect", "settles": True})
    assert "Nothing to settle" in client.get(f"{ann}/disagreements").text
    out = tmp_path / "out"
    main(["annotate", "export", str(bench.path), "--out", str(out)])
    samples = {one.sample_id: one for one in read_bench(out).samples}
    assert len(samples) == 6
    assert samples[task].labels == tuple(-1 if step == 1 else 1 for step in range(len(samples[task].steps)))
    row = next(row for row in map(json.loads, (out / "test.jsonl").open()) if row["id"] == task)
    assert row["annotation"]["decided_by"][1] == "settled"
    assert row["annotation"]["error_categories"][1] == ["arithmetic"]
    about = json.loads((out / "annotation.json").read_text())
    assert about["annotators"] == ["Ann", "Bo"]
    assert about["agreement"]["steps"] == sum(len(one.ask) for one in bench.tasks.values())
    scores = "".join(json.dumps({"id": key, "scores": [0.5] * len(one.steps)}) + "\n" for key, one in samples.items())
    (tmp_path / "scores.jsonl").write_text(scores)
    main(["evaluate", str(tmp_path / "scores.jsonl"), str(out), "--out", str(tmp_path / "report")])
    assert "6 samples" in capsys.readouterr().out


def test_nothing_labelled_is_nothing_to_export(
    bench: TaskFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["annotate", "export", str(bench.path), "--out", str(tmp_path / "out")])
    assert "6 not labelled to its end" in capsys.readouterr().err


def test_a_bench_can_be_labelled_as_it_is(tmp_path: Path) -> None:
    places.write_bench(tmp_path / "bench")
    client = TestClient(create_app(read_tasks(str(tmp_path / "bench"))))
    page = client.get(start(client, "Zoe")).text
    assert "0 of 6 solutions done" in page
    assert client.get("/picture/0/0").headers["content-type"] == "image/png"
    assert client.get("/picture/0/1").status_code == 404


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    from stages.annotate_steps.sample import SampleSettings, sample

    places.write_dataset(tmp_path / "data", [hostile(number) for number in range(5)])
    sample(str(tmp_path / "data"), str(tmp_path / "bench"), SampleSettings(5, None, (), 1.0, 0))
    folder = read_tasks(str(tmp_path / "bench"))
    client = TestClient(create_app(folder))
    ann = start(client, "Ann")
    for task in folder.tasks:
        client.post(ann, json={"task": task, "step": 0, "label": "incorrect", "note": NASTY[1]})
        client.post(start(client, "Bo"), json={"task": task, "step": 0, "label": "correct", "note": NASTY[4]})
        check_markup(client.get(ann, params={"task": task}).text, ("/static/annotate.js",))
        check_markup(client.post(f"{ann}/look", json={"task": task, "steps": 2}).text, ())
    for path in ("/", f"{ann}/disagreements"):
        check_markup(client.get(path).text, ("/static/annotate.js",))
    for number in range(5):
        assert client.get(f"/picture/{number}/0").headers["content-type"].startswith("image/")
