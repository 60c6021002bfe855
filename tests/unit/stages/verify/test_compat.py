from __future__ import annotations

import pytest

from stages.verify.compat import judge_internvl, parse_answer, reference_modes, vqa_text

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
