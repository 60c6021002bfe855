from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.schemas import LEDGER_SCHEMA, PUBLISHED_SCHEMA, table
from stages.publish.pick import Wanted
from stages.publish.show import Paint, list_problems, problem_lines, score_bar, show

PLAIN, COLOUR = Paint(False), Paint(True)


def png() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (12, 8)).save(file, "PNG")
    return file.getvalue()


def step(text: str, correct: int | None, total: int | None, label: str | None, origin: str) -> dict[str, Any]:
    score = None if correct is None or not total else correct / total
    return {
        "step": text,
        "score": score,
        "num_mc_correct": correct,
        "num_mc_total": total,
        "label": label,
        "origin": origin,
    }


def row(problem: str, index: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{problem}/pol/s{index}",
        "source": "bars",
        "images": [{"bytes": png(), "path": "sha"}],
        "question": "<image> How high is the red bar?",
        "prompt": "p",
        "answer": "7",
        "response": "r",
        "steps_with_score": [
            step("The red bar\nreaches 7.\n\n", 4, 16, "+", "measured"),
            step("Nobody asked.\n\n", None, None, None, "not_sampled"),
            step("Final answer: 7", 1, 1, "+", "own_answer"),
        ],
        "num_mc_sequences": 16,
        "response_answer": "7",
        "response_correct": True,
        "policy_model": "demo/policy",
        "prompt_sha": "s",
        **more,
    }


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    folder = tmp_path / "data"
    folder.mkdir()
    for number, problems in enumerate([["aa1", "aa2"], ["bb1"]]):
        rows = table([row(problem, index) for problem in problems for index in range(2)], PUBLISHED_SCHEMA)
        pq.write_table(rows, folder / f"train-{number:05d}-of-00002.parquet", row_group_size=2)
    return str(folder)


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run directory with a committed ledger of one problem."""
    draws = [
        {
            "token_ids": [1],
            "text": f"so it is {status}",
            "finish_reason": "stop",
            "seed": 0,
            "verdict": {"status": status, "answer": "7", "mode": "number", "reason": None},
        }
        for status in ("correct", "no_answer")
    ]
    steps = [{"text": "t", "start": 0, "end": 1, "token_exact": True, "draws": draws, "origin": "measured"}]
    solution = {"solution_id": "bb1/pol/s1", "text": "t", "token_ids": [], "finish_reason": "stop", "seed": 0}
    item = {"problem_id": "bb1", "solutions": [{**solution, "verdict": draws[0]["verdict"], "steps": steps}]}
    for folder, file in (("annotations", "0-part.parquet"), ("checkpoint", "0.parquet")):
        (tmp_path / "run" / folder).mkdir(parents=True)
        pq.write_table(table([item], LEDGER_SCHEMA), tmp_path / "run" / folder / file)
    return str(tmp_path / "run")


def test_the_last_line_shows_the_next_problem(dataset: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(dataset, Wanted(source="bars", label="none"))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "aa1 · bars"
    assert said[-1] == f"next: visualprm show {dataset} --id aa2 --source bars --label none"
    show(dataset, Wanted("bb1/pol/s1"), run)
    assert "next:" not in capsys.readouterr().out


def test_a_list_has_a_line_for_each_problem(dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    list_problems(dataset, Wanted())
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "aa1  bars   2/2 right  4 +, 2 none       <image> How high is the red bar?"
    assert [line.split()[0] for line in said] == ["aa1", "aa2", "bb1"]
    list_problems(dataset, Wanted("bb1/pol/s1"))
    assert capsys.readouterr().out.split()[:3] == ["bb1", "bars", "1/1"]


def test_what_a_released_corpus_does_not_say_is_shown_as_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [{**step("So it is.", None, None, "-", "imported"), "origin": None}]
    nothing = dict.fromkeys(("answer", "prompt", "response_answer", "response_correct", "policy_model", "prompt_sha"))
    rows = table([row("aa1", 0, steps_with_score=steps, **nothing)], PUBLISHED_SCHEMA)
    pq.write_table(rows, tmp_path / "train-00000-of-00001.parquet")
    show(str(tmp_path), Wanted())
    assert capsys.readouterr().out.splitlines()[2:] == [
        "answer    –",
        "images    12×8 PNG",
        "",
        "pol/s0 · not judged · answer – · policy not recorded",
        "   1  ··········     –      –  -  –",
        "      So it is.",
    ]
    list_problems(str(tmp_path), Wanted(label="-"))
    assert capsys.readouterr().out.split()[2:6] == ["not", "judged", "1", "-"]


def test_a_missing_id_names_itself(dataset: str) -> None:
    with pytest.raises(UserError, match="no id begins with 'zz'"):
        show(dataset, Wanted("zz"))


@pytest.mark.parametrize("place", ["nowhere", "", "file"])
def test_a_folder_without_a_dataset_is_a_user_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="no dataset is here"):
        show(str(tmp_path / place), Wanted())


def test_an_empty_dataset_says_so(tmp_path: Path) -> None:
    pq.write_table(PUBLISHED_SCHEMA.empty_table(), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(UserError, match="the dataset is empty"):
        show(str(tmp_path), Wanted())


def test_a_problem_in_plain_text(dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(dataset, Wanted("bb1/pol/s1"))
    assert capsys.readouterr().out.splitlines() == [
        "bb1 · bars",
        "question  <image> How high is the red bar?",
        "answer    7",
        "images    12×8 PNG",
        "",
        "pol/s1 · right · answer 7 · demo/policy",
        "   1  ██░░░░░░░░  0.25   4/16  +  measured",
        "      The red bar",
        "      reaches 7.",
        "   2  ··········     –      –  –  not_sampled",
        "      Nobody asked.",
        "   3  ██████████  1.00    1/1  +  own_answer",
        "      Final answer: 7",
    ]


@pytest.mark.parametrize(("correct", "word"), [(True, "right"), (False, "wrong"), (None, "not judged")])
def test_the_verdict_of_a_solution(correct: bool | None, word: str) -> None:
    lines = list(problem_lines([row("p", 0, response_correct=correct, response_answer=None)], {}, PLAIN))
    assert lines[5] == f"pol/s0 · {word} · answer – · demo/policy"


@pytest.mark.parametrize(
    ("score", "bar", "colour"),
    [
        (None, "·" * 10, 2),
        (0.0, "░" * 10, 31),
        (1 / 16, "█" + "░" * 9, 33),
        (0.49, "█" * 5 + "░" * 5, 33),
        (0.5, "█" * 5 + "░" * 5, 32),
        (1.0, "█" * 10, 32),
    ],
)
def test_a_bar_is_as_long_as_the_score(score: float | None, bar: str, colour: int) -> None:
    assert score_bar(score, PLAIN) == bar
    assert score_bar(score, COLOUR) == f"\x1b[{colour}m{bar}\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint.for_stream(Terminal())("x", "1") == "\x1b[1mx\x1b[0m"
    assert Paint.for_stream(io.StringIO())("x", "1") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint.for_stream(Terminal())("x", "1") == "x"


def test_model_text_cannot_steer_the_terminal() -> None:
    wild = row("p", 0, question="\x1b[2Jgone\x07", response_answer="\x1b]0;title\x07")
    assert not any("\x1b" in line or "\x07" in line for line in problem_lines([wild], {}, PLAIN))


def test_draws_come_from_the_run(dataset: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(dataset, Wanted("bb1/pol/s1"), run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[9:11] == [
        "        correct           7  so it is correct",
        "        no_answer         7  so it is no_answer",
    ]


def test_a_run_of_another_dataset_is_a_user_error(dataset: str, run: str) -> None:
    with pytest.raises(UserError, match="doesn't hold problem aa1"):
        show(dataset, Wanted("aa1"), run)
