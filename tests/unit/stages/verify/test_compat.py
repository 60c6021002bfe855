from __future__ import annotations

import asyncio

import pytest

from pipeline.records import Verdict
from stages.verify.compat import judge_internvl, parse_answer, prompt_version, reference_modes, vqa_text
from stages.verify.pool import VerifierPool

ALL = reference_modes("geo170k_extracted_full")


@pytest.mark.parametrize(
    ("file_name", "modes"),
    [
        ("chartqa_trainval_30k_w_csv_en_20240402_extracted", ("relaxed_accuracy",)),
        ("docvqa_train_56k_en_20240402_extracted", ("anls",)),
        ("infographics_20240403_qa_20240407_v2_extracted", ("anls",)),
        ("geometry3k_en_20240402_extracted", ("relaxed_accuracy", "vqa_score", "mc_score", "math_verify_score")),
        ("mavis_function_abs", ("vqa_score", "mc_score", "math_score", "latex_score", "math_verify_score")),
        ("geomverse_extracted", ("vqa_score", "mc_score", "math_score", "math_verify_score")),
    ],
)
def test_modes_follow_the_file_name(file_name: str, modes: tuple[str, ...]) -> None:
    assert reference_modes(file_name) == modes


@pytest.mark.parametrize(
    ("response", "version", "answer"),
    [
        ("a\n\nFinal answer: 5", "en", "5"),
        ("a\n\nFinal Answer: 5", "en", "5"),
        ("a\n\n答案: 5", "zh", "5"),
        ("a\nFinal answer: 5", "en", None),
        ("\n\nFinal answer: 5", "en", None),
        ("a\n\nFinal answer: 5\nmore", "en", None),
        ("a\n\nFinal answer: 1 Final answer: 2 Final answer: 3", "en", None),
        ("no trigger\n\nat all", "en", None),
        ("a long way to \\boxed{\\frac{1}{2}}.", "en_v2", "\\frac{1}{2}"),
        ("a long way, and no box", "en_v2", "a long way, and no box"),
        ("a long way to \\boxed{5", "en_v2", "a long way to \\boxed{5"),
        ("\\boxed{5}", "en_v2", None),
        ("<think>" + "t" * 21 + "</think>\\boxed{5}", "en_r1", "5"),
        ("<think>" + "t" * 20 + "</think>\\boxed{5}", "en_r1", None),
        ("<think>" + "t" * 21 + "</think>5", "en_r1", None),
        ("<think>" + "t" * 21 + "\\boxed{5}", "zh_r1", None),
    ],
)
def test_parsing(response: str, version: str, answer: str | None) -> None:
    assert parse_answer(response, version) == answer  # type: ignore[arg-type]


def status(gold: str, answer: str, *modes: str) -> str:
    return judge_internvl(gold, f"a\n\nFinal answer: {answer}", modes or ALL, "en").status  # type: ignore[arg-type]


def test_right_answers() -> None:
    assert status("B", "b") == "correct"
    assert status("B", "(B) 12") == "correct"
    assert status("B", "B. 12") == "correct"
    assert status("30", "30 degrees", "math_score") == "correct"
    assert status("100", "95", "relaxed_accuracy") == "correct"
    assert status("two dogs", "The 2 dogs", "vqa_score") == "correct"
    assert status("\\frac{1}{2}", "0.5", "latex_score") == "correct"
    assert status("\\frac{1}{2}", "0.5", "math_verify_score") == "correct"


def test_defects_are_kept() -> None:
    assert status("cat", "dog", "anls") == "correct"
    assert status("University of California", "University of Californi", "anls") == "incorrect"
    assert status("1999", "1950", "relaxed_accuracy") == "correct"
    assert status("2019", "2018", "relaxed_accuracy") == "incorrect"
    assert status("0", "0.0", "relaxed_accuracy") == "incorrect"
    assert status("B", "B because of this") == "incorrect"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Two Dogs.", "2 dogs"),
        ("x-ray", "x ray"),
        ("a - b", "b"),
        ("don't", "don't"),
        ("dont", "don't"),
        ("1,000", "1000"),
        ("?!", ""),
    ],
)
def test_vqa_text(text: str, normal: str) -> None:
    assert vqa_text(text) == normal


@pytest.mark.parametrize(
    ("prompt", "version"),
    [
        ("{question}\nEnd with Answer: \\boxed{…}.", "en_v2"),
        ("Think in <think> tags, then \\boxed{…}: {question}", "en_r1"),
        ("{question}\nFinal answer: …", "en"),
    ],
)
def test_the_prompt_says_where_the_answer_is(prompt: str, version: str) -> None:
    assert prompt_version(prompt) == version


def test_the_pool_decides_as_the_function_does() -> None:
    golds_and_answers = [
        ("x^2+1", "1+x^2"),
        ("100", "95"),
        ("2.5 cm", "2.5"),
        ("a cat", "the cat"),
        ("7", "8"),
        ("B", "b"),
    ]

    async def decide(pool: VerifierPool) -> list[Verdict]:
        return [
            await pool.verify_reference(gold, f"so it is \\boxed{{{answer}}}, I think", modes, "en_v2")
            for gold, answer in golds_and_answers
            for modes in (ALL, reference_modes("chartqa"), reference_modes("docvqa"))
        ]

    expected = [
        judge_internvl(gold, f"so it is \\boxed{{{answer}}}, I think", modes, "en_v2")
        for gold, answer in golds_and_answers
        for modes in (ALL, reference_modes("chartqa"), reference_modes("docvqa"))
    ]
    with VerifierPool(1, 5.0) as pool:
        assert asyncio.run(decide(pool)) == expected
    assert {verdict.status for verdict in expected} == {"correct", "incorrect"}


def test_what_takes_the_reference_too_long_is_a_timeout() -> None:
    long = f"so it is \\boxed{{{'b' * 20_000}}}, I think"
    with VerifierPool(1, 0.5) as pool:
        verdict = asyncio.run(pool.verify_reference("a" * 5_000, long, reference_modes("docvqa"), "en_v2"))
    assert verdict.status == "timeout"
