"""Six real sources, where they are at hand: they may not be part of the repository."""

import io
import json

import PIL.Image
import pytest

from pipeline.config import SourceConfig, parse_config
from pipeline.records import Problem, Rejected
from stages.load.parse import load, summarise
from stages.load.problems import read_sources
from stages.verify.judge import judge
from tests.places import SHARED

QUESTIONS = SHARED / "questions"
# Where letters stand in the pictures, or name something in them.
LETTERS = {"dynamath", "gaokao_mm"}
pytestmark = [
    pytest.mark.skipif(not QUESTIONS.is_dir(), reason="the real samples are not on this machine"),
    pytest.mark.usefixtures("shared_verifiers"),
]


def test_all_real_rows_load() -> None:
    seen: set[str] = set()
    results: list[Problem | Rejected] = []
    for folder in sorted(QUESTIONS.iterdir()):
        source = SourceConfig(
            name=folder.name,
            path=str(folder / "questions.jsonl"),
            images=str(folder / "images"),
            gold="letter" if folder.name in LETTERS else "auto",
        )
        results += load(source, lambda problem: None, seen)
    problems = [result for result in results if isinstance(result, Problem)]
    assert len(results) == len(problems) == 561
    assert {summary.source: summary.rows for summary in summarise(results)} == {
        "chartqa": 100,
        "dynamath": 100,
        "gaokao_mm": 60,
        "mathv": 101,
        "tabmwp": 100,
        "wemath": 100,
    }
    several = [problem for problem in problems if len(problem.images) > 1]
    assert len(several) == 11
    assert sum(len(problem.images) for problem in problems) == 593
    assert all(problem.question.count("<image>") == len(problem.images) for problem in several)
    assert any("正方体" in problem.question for problem in problems)
    for problem in problems:
        for image in problem.images:
            with PIL.Image.open(io.BytesIO(image.data)) as opened:
                assert opened.mode in ("RGB", "L")
                assert opened.format in ("PNG", "JPEG")


def test_nearly_all_real_answers_can_be_verified() -> None:
    sources = [
        {
            "name": folder.name,
            "path": f"{folder.name}/questions.jsonl",
            "images": f"{folder.name}/images",
            "gold": "letter" if folder.name in LETTERS else "auto",
        }
        for folder in sorted(QUESTIONS.iterdir())
    ]
    config = parse_config({"name": "real", "data_root": str(QUESTIONS), "sources": sources})
    rejected = [item for item in read_sources(config) if isinstance(item, Rejected)]
    assert {item.reason for item in rejected} <= {"gold_rejected"}
    assert len(rejected) <= 0.02 * 561


MODES: dict[str, tuple[str, ...]] = {"chartqa": ("relaxed", "list")}
WRITTEN = {"says": "We read it off.\n\nThe answer is {}.", "boxed": "\\boxed{{{}}}", "bare": "{}"}


@pytest.mark.parametrize("form", WRITTEN.values(), ids=WRITTEN)
def test_real_golds_are_right_however_they_are_written(form: str) -> None:
    right = total = 0
    for folder in sorted(QUESTIONS.iterdir()):
        modes = MODES.get(folder.name, ("choice", "number", "math", "text"))
        for row in map(json.loads, (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()):
            verdict = judge(row["answer"], form.format(row["answer"]), modes, (), row["question"])
            right, total = right + (verdict.status == "correct"), total + 1
    assert total == 561
    assert right >= 0.99 * total
