"""A pool of candidates that exist: from rows that say their problems, and from rows that name a config's."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.cli import main
from pipeline.errors import UserError
from stages.best_of_n.given import Columns
from stages.best_of_n.importing import import_config, import_pool
from stages.best_of_n.pool import Pool
from stages.best_of_n.report import ReportSettings, report_pool
from stages.best_of_n.scores import score_pool
from tests.places import ROOT
from tests.unit.stages.best_of_n.test_pool import Judge, critic

FOUR = {"id": "q1", "image": "red.png", "question": "How many bars?", "answer": "4"}
WHICH = {"id": "q2", "image": "blue.png", "question": "Which is tallest?", "options": ["red", "blue"], "answer": "B"}
TEXTS = ["Two and two.\n\nFinal answer: 4", "Final answer: 5", "Final answer: 4.0"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for name, turned in (("red", 0), ("blue", 90)):
        PIL.Image.linear_gradient("L").rotate(turned).save(tmp_path / "pictures" / f"{name}.png")
    monkeypatch.chdir(tmp_path)


def lines(*rows: dict[str, Any], name: str = "c.jsonl") -> str:
    Path(name).write_text("\n".join(map(json.dumps, rows)))
    return name


def imported(file: str, *overrides: str, problems: str | None = None, **more: Any) -> Pool:
    settings = [] if problems else ["sources.0.images=pictures"]
    config = import_config(file, problems, [*settings, *overrides])
    import_pool(file, config, problems is not None, more.pop("columns", Columns()), out=more.pop("out", "pool"), **more)
    return Pool("pool")


def statuses(pool: Pool) -> dict[str, list[str]]:
    rows = {row.problem_id: row for row in pool.problems()}
    return {row.question: [one.status for one in row.candidates] for row in rows.values()}


def quarantine() -> Counter[str]:
    return Counter(json.loads(line)["reason"] for line in Path("pool/quarantine/load.jsonl").read_text().splitlines())


def test_rows_with_their_problems() -> None:
    pool = imported(
        lines({**FOUR, "responses": TEXTS}, {**WHICH, "responses": ["Final answer: B", "red", "I can't tell."]})
    )
    assert (pool.num_problems, pool.num_candidates, pool.about["policy_model"]) == (2, 3, "imported")
    assert statuses(pool) == {
        "How many bars?": ["correct", "incorrect", "correct"],
        "Which is tallest?\nA. red\nB. blue": ["correct", "incorrect", "no_answer"],
    }
    (four,) = [row for row in pool.problems() if row.question == "How many bars?"]
    assert [one.steps for one in four.candidates] == [("Two and two.", "Final answer: 4"), (TEXTS[1],), (TEXTS[2],)]
    assert [one.answer_group for one in four.candidates] == [0, 1, 0]
    assert {(one.seed, one.num_tokens) for one in four.candidates} == {(None, None)}
    assert four.candidates[0].candidate_id.startswith(f"{four.problem_id}/imported@")
    row = pq.read_table("pool/problems.parquet").to_pylist()[0]
    assert "responses" not in row["extra"]
    assert row["policy_prompt"] is None
    assert Path("pool/quarantine/load.jsonl").read_text() == ""


def test_one_response_a_row_is_the_same_pool() -> None:
    together = imported(lines({**FOUR, "responses": TEXTS})).hash
    rows = [{**FOUR, "id": f"row{number}", "response": text} for number, text in enumerate(TEXTS)]
    Path("pool").rename("first")
    apart = imported(lines(*rows, name="d.jsonl"), "sources.0.name=c")
    assert (apart.num_problems, apart.num_candidates) == (1, 3)
    texts = [[one.text for one in row.candidates] for row in apart.problems()]
    assert texts == [TEXTS]
    assert apart.hash != together  # ids of candidates name their file


def test_parquet_and_csv_give_the_same_verdicts() -> None:
    wanted = statuses(imported(lines({**FOUR, "responses": TEXTS, "correct": [True, None, None]})))
    table = pa.Table.from_pylist([{**FOUR, "responses": TEXTS, "correct": [True, None, None]}])
    pq.write_table(table, "c.parquet")
    with Path("c.csv").open("w", newline="") as file:
        cells = [[*FOUR.values(), json.dumps(TEXTS), "[true, null, null]"]]
        csv.writer(file).writerows([[*FOUR, "responses", "correct"], *cells])
    for name in ("c.parquet", "c.csv"):
        Path("pool").rename(f"before_{name}")
        assert statuses(imported(name)) == wanted


def test_given_verdicts_stand_and_one_line_says_how_many_differ(capsys: pytest.CaptureFixture[str]) -> None:
    pool = imported(lines({**FOUR, "responses": [*TEXTS, ""], "correct": [True, True, False, False]}))
    assert statuses(pool) == {"How many bars?": ["correct", "correct", "incorrect", "no_answer"]}
    assert pool.about["given_verdicts"] == {"given": 4, "right_but_not_by_ours": 1, "wrong_but_right_by_ours": 1}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "2 of 4 given verdicts differ from our verifier's (1 right by the file alone, 1 by ours alone)"
    )
    assert line.endswith("/s1 (right, ours: incorrect)")


def test_bad_rows_are_set_aside_with_their_reasons() -> None:
    pool = imported(
        lines(
            {**FOUR, "responses": TEXTS},
            {**FOUR, "id": "gone", "image": "none.png", "responses": TEXTS},
            {**FOUR, "id": "few", "question": "How few?", "responses": TEXTS, "correct": [True]},
            {**FOUR, "id": "none", "question": "How none?"},
            {**WHICH, "id": "gold", "answer": "purple", "responses": TEXTS},
            {**FOUR, "id": "half", "question": "How much?", "answer": "\\x", "verify": ["number"], "responses": TEXTS},
        ),
        "sources.0.gold=letter",
    )
    assert pool.num_problems == 1
    reasons = {
        "missing_image": 1,
        "verdicts_do_not_fit": 1,
        "no_response": 1,
        "gold_not_an_option": 1,
        "gold_rejected": 1,
    }
    assert quarantine() == pool.about["rejected"] == reasons


def test_a_number_of_candidates_for_all() -> None:
    file = lines({**FOUR, "responses": TEXTS}, {**WHICH, "responses": ["B"]})
    with pytest.raises(UserError, match=r"differ in their number of candidates \(1 have 1, 1 have 3\): give --n 3"):
        imported(file)
    assert imported(file, n=2).num_candidates == 2
    assert quarantine() == {"too_few_candidates": 1}
    with pytest.raises(UserError, match="no problem has 9 candidates"):
        imported(file, n=9, out="other")


def test_contamination_flags_and_drops() -> None:
    (Path("bench.jsonl")).write_text(json.dumps({**FOUR, "id": "b"}))
    against = "contamination.against=[{name: bench, path: bench.jsonl, images: pictures}]"
    file = lines({**FOUR, "responses": TEXTS}, {**WHICH, "responses": TEXTS})
    flagged = imported(file, against)
    assert flagged.num_problems == 2
    found = pq.read_table("pool/problems.parquet", columns=["contamination"]).to_pylist()
    assert sorted(row["contamination"] for row in found) == [[], ["bench"]]
    Path("pool").rename("flagged")
    assert imported(file, against, "contamination.drop=[question, image, both]").num_problems == 1
    assert quarantine() == {"contaminated": 1}
    assert Path("pool/contamination.jsonl").exists()


def test_the_same_command_finds_the_pool_and_another_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    pool = imported(lines({**FOUR, "responses": TEXTS}))
    assert imported("c.jsonl").hash == pool.hash
    assert "nothing to do: 1 problem × 3 candidates" in capsys.readouterr().out
    with pytest.raises(UserError, match="holds another frozen pool"):
        imported("c.jsonl", "split.max_steps=1")
    with pytest.raises(UserError, match=r"gone\.jsonl: can't be read: No such file"):
        imported("gone.jsonl", out="other")


@pytest.fixture
def config() -> str:
    rows: list[dict[str, Any]] = [FOUR, WHICH, {**FOUR, "id": "q3", "question": "How few?"}]
    source = {"name": "mine", "path": lines(*rows, name="questions.jsonl"), "images": "pictures"}
    Path("mine.yaml").write_text(yaml.safe_dump({"name": "mine", "sources": [source]}))
    return "mine.yaml"


def test_rows_that_name_problems_of_a_config(config: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "q1", "responses": TEXTS},
        {"question": WHICH["question"], "answer": "B", "responses": ["A", "B", "Final answer: B"]},
        {"id": "nobody", "responses": TEXTS},
        {"responses": TEXTS},
    ]
    pool = imported(lines(*rows), problems=config)
    assert statuses(pool) == {
        "How many bars?": ["correct", "incorrect", "correct"],
        "Which is tallest?\nA. red\nB. blue": ["incorrect", "correct", "correct"],
    }
    assert quarantine() == {"no_problem": 1, "no_key": 1}


def test_a_row_that_fits_two_problems_is_refused(config: str) -> None:
    Path("questions.jsonl").write_text("\n".join(json.dumps({**row, "id": "same"}) for row in (FOUR, WHICH)))
    with pytest.raises(UserError, match="no row gives a candidate of a problem, the first: ambiguous_response"):
        imported(lines({"id": "same", "responses": TEXTS}), problems=config)


def test_critics_score_it_and_the_report_reads_it(tmp_path: Path) -> None:
    imported(lines({**FOUR, "responses": ["good\n\nFinal answer: 4", "bad\n\nFinal answer: 5"]}), policy="them")
    prm, judge = critic(tmp_path / "prm"), Judge()
    score_pool("pool", [prm], lambda _: judge)
    asked = sorted(one.steps for one in judge.asked)
    assert asked == [("bad", "Final answer: 5"), ("good", "Final answer: 4")]
    assert judge.asked[0].question == "How many bars?"
    told = report_pool("pool", ReportSettings(resamples=100)).text
    assert "1 problem × 2 candidates of them (as the file has them), pool" in told
    assert "| prm (mean) | 50.0 [50.0, 50.0] | 100.0 [100.0, 100.0] |" in told


def test_the_example_of_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/best_of_n.md, as a reader would type it."""
    text = (ROOT / "docs/best_of_n.md").read_text().partition("## Candidates that exist")[2]
    rows, commands = (text.partition(opening)[2].partition("```")[0] for opening in ("```json\n", "```\nvisualprm "))
    Path("candidates.jsonl").write_text(rows)
    for name, like in (("one", "red"), ("two", "blue")):
        Path(f"pictures/{like}.png").rename(f"pictures/{name}.png")
    first, _, report = ("visualprm " + commands).strip().splitlines()
    main(first.removeprefix("visualprm ").split())
    assert "2 problems × 2 candidates in data/given_pool" in capsys.readouterr().out
    main(report.removeprefix("visualprm ").split())
    assert "| oracle pass@N | 50.0 [50.0, 50.0] | 100.0 [100.0, 100.0] |" in capsys.readouterr().out
