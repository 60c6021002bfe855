"""The recipe for VisualPRM400K: its list of sources, its settings, and rows in the shape of each source's file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from pipeline.config import RunConfig, load_config
from pipeline.records import Problem
from stages.load.problems import read_sources
from stages.verify.judge import judge
from tests.places import ROOT

CONFIGS = ROOT / "configs"
MODES = {
    "A": {"relaxed", "text", "choice", "math"},
    "B": {"relaxed"},
    "C": {"anls"},
    "D": {"text", "choice", "number", "math"},
    "E": {"text", "choice", "number", "math"},
}
# The launch script's list, in its order: file, tiles, and the modes by the reference's rule for file names.
TABLE = """
CLEVR_math_en_20240402_extracted 6 A
geos_en_20240402_extracted 6 A
geometry3k_en_20240402_extracted 6 A
scienceqa_multi_choice_en_20240402_extracted 6 E
m3cot_train_extracted 6 E
ai2d_train_12k_en_20240410_extracted 6 E
SROIE_information_extraction_multi_turn_20240620_extracted 12 A
chartqa_trainval_30k_w_csv_en_20240402_extracted 12 B
docvqa_train_56k_en_20240402_extracted 18 C
infographics_20240403_qa_20240407_v2_extracted 24 C
mapqa_suv_en_20240402_extracted 12 E
figureqa_en_20240402_extracted 12 E
dvqa_en_20240402_extracted_int_only 6 E
iconqa_train_extracted 6 E
geometry3k_en_20240402_extracted_open_ended_only 6 A
geoqa+_en_20240402_extracted_open_ended_only 6 E
geos_en_20240402_extracted_open_ended_only 6 A
unigeo_calc_en_20240402_extracted_open_ended_only 6 E
geomverse_extracted 6 E
geo170k_extracted_full 6 E
geoqa+_extracted_en_version 6 E
koniq10k_en_20240403 6 E
study_com_en_20240619 6 E
mavis_function_abs 6 D
mavis_function_cos 6 D
mavis_function_log 6 D
mavis_function_poly 6 D
mavis_function_sin 6 D
mavis_function_tan 6 D
super_clevr_en_20240402_int 6 E
super_clevr_en_20240402_yorn 6 E
vqav2_en_20240402_int 6 E
cocorem_exist_yorn_en_20241016 6 E
mavis_geo_depth0_text_dominant_vision_dominant_en 6 D
mavis_geo_depth1_text_dominant_vision_dominant_en 6 D
mavis_geo_depth2_text_dominant_vision_dominant_en 6 D
mavis_geo_depth3_text_dominant_vision_dominant_en 6 D
nlvr2_en_20240910 1 E
MathV360K_prompts 6 E
"""
SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."
YES_NO = "\nPlease answer Yes or No."
ABCD = "\nA. {}\nB. {}\nC. {}\nD. {}" + LETTER

Asked = tuple[str, str, str]
"""A question as its file has it, the right answer, and one that is nearly right and must be refused."""

OPEN_LENGTH = ("The legs of the right triangle are 3 and 4. How long is the hypotenuse?", "5", "25")
DEGREES = ("AB is parallel to CD and angle 1 is 118°. Find angle 2.", "62°", "118°")
CHOICE_ANGLE = ("In the circle, angle AOB = 80°. Angle ACB = ()" + ABCD.format("20°", "40°", "80°", "160°"), "B", "C")
MAVIS_DEPTH = (
    "Side AB of the square is 4 and the half circle stands on BC. What is the area of the shape?",
    r"16 + 2\pi",
    r"16 + 4\pi",
)
COUNT = ("<image>\nHow many sedans are there?" + SHORT, "3", "13")
IS_THERE = ("Is there a dog in the image?" + YES_NO, "Yes", "No")

MADE_UP: dict[str, list[Asked]] = {
    "CLEVR_math_en_20240402_extracted": [
        ("<image>\nSubtract all cyan balls. How many objects are left?" + SHORT, "7", "8"),
        ("Add 2 red cubes. How many cubes exist?", "4", "14"),
    ],
    "geos_en_20240402_extracted": [
        ("What is the length of BC?" + ABCD.format("3", "5", r"\sqrt{7}", "8"), "C", "A"),
    ],
    "geometry3k_en_20240402_extracted": [
        ("<image>\nFind x." + ABCD.format("12", "15", "10", "8"), "A", "B"),
        (r"Find y." + ABCD.format(r"5 \sqrt { 3 }", "10", r"10 \sqrt { 3 }", "20"), "C", "D"),
    ],
    "scienceqa_multi_choice_en_20240402_extracted": [
        ("Which property do these two objects have in common?\nA. hard\nB. stretchy" + LETTER, "B", "A"),
    ],
    "m3cot_train_extracted": [("Which organism is the producer?" + ABCD.format("Fox", "Grass", "Owl", "Vole"), "B", "D")],
    "ai2d_train_12k_en_20240410_extracted": [
        ("What does the label K stand for?" + ABCD.format("Stem", "Root", "Leaf", "Bud"), "D", "C"),
    ],
    "SROIE_information_extraction_multi_turn_20240620_extracted": [
        ("<image>\nWhat is the name of the company that issued the receipt?" + SHORT, "TAN WOON YANN", "TAN CHAY YEE"),
        ("What is the total amount on the receipt?" + SHORT, "9.00", "90.0"),
        ("When was the receipt issued?" + SHORT, "25/12/2018", "26/01/2019"),
    ],
    "chartqa_trainval_30k_w_csv_en_20240402_extracted": [
        ("<image>\nWhat is the value of the highest bar?" + SHORT, "62.5", "70"),
        ("Which country has the longest bar?" + SHORT, "Spain", "Sweden"),
        ("In which year was the share highest?" + SHORT, "2014", "2015"),
        ("What share chose 'very good'?" + SHORT, "24%", "42%"),
    ],
    "docvqa_train_56k_en_20240402_extracted": [
        ("<image>\nWho is the letter addressed to?" + SHORT, "Dr. William J. Darby", "Mr. P. Smith"),
        ("What is the invoice number?" + SHORT, "4711-B", "0815"),
    ],
    "infographics_20240403_qa_20240407_v2_extracted": [
        ("What percentage of users are women?" + SHORT, "58%", "42 in 100"),
    ],
    "mapqa_suv_en_20240402_extracted": [
        ("Which state has the highest value in the West?" + SHORT, "Oregon", "Nevada"),
        ("Does Utah have a higher value than Idaho?" + SHORT, "No", "Yes"),
    ],
    "figureqa_en_20240402_extracted": [("Is Dark Orange the minimum?" + SHORT, "No", "Yes")],
    "dvqa_en_20240402_extracted_int_only": [("<image>\nWhat is the value of the smallest bar?" + SHORT, "2", "20")],
    "iconqa_train_extracted": [
        ("How many dots are on the frame?" + SHORT, "8", "9"),
        ("Which shape comes next?\nA. circle\nB. square" + LETTER, "A", "B"),
    ],
    "geometry3k_en_20240402_extracted_open_ended_only": [("Find x.", r"6 \sqrt { 2 }", r"6 \sqrt { 3 }"), OPEN_LENGTH],
    "geoqa+_en_20240402_extracted_open_ended_only": [DEGREES],
    "geos_en_20240402_extracted_open_ended_only": [OPEN_LENGTH],
    "unigeo_calc_en_20240402_extracted_open_ended_only": [("Find the length of DE.", r"2\sqrt{5}", r"5\sqrt{2}"), DEGREES],
    "geomverse_extracted": [("Compute the area of the blue triangle. Round to 2 decimal places.", "43.75", "47.35")],
    "geo170k_extracted_full": [("<image>\n" + CHOICE_ANGLE[0], "B", "D"), DEGREES],
    "geoqa+_extracted_en_version": [CHOICE_ANGLE],
    "koniq10k_en_20240403": [
        ("How is the quality of the picture?\nA. Excellent\nB. Good\nC. Fair\nD. Poor\nE. Bad" + LETTER, "C", "E"),
    ],
    "study_com_en_20240619": [("Find the derivative of the plotted function.", "3x^2 - 4", "3x^2 + 4")],
    "mavis_function_abs": [("What is the function's vertex?", "(2, -3)", "(-3, 2)")],
    "mavis_function_cos": [("What is the period of f?", r"\frac{2\pi}{3}", r"\frac{3\pi}{2}")],
    "mavis_function_log": [("Given f(x) = a·log(x), find a.", "3", r"\frac{1}{3}")],
    "mavis_function_poly": [
        ("What is f'(x)?" + ABCD.format("2x + 1", "2x - 1", "x + 2", "x"), "A", "B"),
        ("Find the zeros' sum of f.", r"-\frac{5}{2}", r"\frac{5}{2}"),
    ],
    "mavis_function_sin": [("What is the expression of f?", r"f(x) = 2\sin(3x)", r"f(x) = 3\sin(2x)")],
    "mavis_function_tan": [("Where is the first asymptote?", r"x = \frac{\pi}{4}", r"x = \frac{\pi}{2}")],
    "super_clevr_en_20240402_int": [COUNT],
    "super_clevr_en_20240402_yorn": [("Is the truck the same color as the bus?" + YES_NO, "No", "Yes")],
    "vqav2_en_20240402_int": [("How many people are in the photo?" + SHORT, "2", "12")],
    "cocorem_exist_yorn_en_20241016": [IS_THERE],
    "mavis_geo_depth0_text_dominant_vision_dominant_en": [MAVIS_DEPTH],
    "mavis_geo_depth1_text_dominant_vision_dominant_en": [MAVIS_DEPTH],
    "mavis_geo_depth2_text_dominant_vision_dominant_en": [MAVIS_DEPTH],
    "mavis_geo_depth3_text_dominant_vision_dominant_en": [
        ("Which value is the perimeter?" + ABCD.format("12", "14.28", "16", "18.84"), "D", "B"),
    ],
    "nlvr2_en_20240910": [
        (
            "Image-1: <image>\nImage-2: <image>\nIs it right that each image shows two dogs?" + YES_NO,
            "No",
            "Yes",
        ),
    ],
    "MathV360K_prompts": [
        (
            "<image>\nHint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at "
            "the end.\nQuestion: What is the area of the shaded part?\nChoices:\n(A) 4\n(B) 8\n(C) 12",
            "B",
            "A",
        ),
        (
            "Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, "
            "3, at the end.\nQuestion: How many bars are taller than 5?",
            "4",
            "5",
        ),
    ],
}  # fmt: skip


def table() -> dict[str, tuple[int, str]]:
    lines = (line.split() for line in TABLE.split("\n") if line)
    return {stem: (int(tiles), code) for stem, tiles, code in lines}


def recipe(name: str = "visualprm400k", *overrides: str) -> RunConfig:
    return load_config(CONFIGS / f"{name}.yaml", overrides)


def test_the_sources_are_those_of_the_launch_script() -> None:
    config = recipe()
    assert len(config.sources) == len(table()) == 39
    ours = {source.name: (source.max_tiles, set(source.verify)) for source in config.sources}
    assert ours == {stem: (tiles, MODES[code]) for stem, (tiles, code) in table().items()}
    for source in config.sources:
        assert source.path == f"MMPR-v1.2-prompts/correctness_prompts/{source.name}.jsonl"
        assert source.limit == 3072


def test_the_settings_are_those_of_the_launch_script() -> None:
    config = recipe()
    sampling = config.sampling
    assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.max_tokens) == (1.0, 50, 1.0, 4096)
    assert (sampling.num_solutions, config.rollout.num_draws, config.split.max_steps) == (4, 16, 16)
    assert (config.rollout.strategy, config.engine.max_model_len, config.label.threshold) == ("fixed", 16384, 0)
    assert not config.engine.trust_remote_code


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("visualprm400k_38b", {"name", "run_dir", "output_dir", "engine"}),
        ("visualprm400k_v1", {"name", "run_dir", "output_dir", "split"}),
    ],
)
def test_the_variants_differ_in_what_they_say(name: str, differs: set[str]) -> None:
    base, variant = recipe().model_dump(), recipe(name).model_dump()
    assert {key for key in base if base[key] != variant[key]} == differs


def test_the_second_policy_and_the_papers_steps() -> None:
    engine = recipe("visualprm400k_38b").engine
    assert (engine.model, engine.tensor_parallel_size) == ("OpenGVLab/InternVL3-38B-hf", 2)
    assert recipe("visualprm400k_v1").split.max_steps == 12


def picture(number: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (number % 256, number // 256, 0)).save(out, "PNG")
    return out.getvalue()


def write_corpus(root: Path, asked: Mapping[str, Iterable[Asked]]) -> None:
    """`MMPR-v1.2-prompts` as its archives unpack: a file of prompts a source, images below the same folder."""
    prompts, images = root / "MMPR-v1.2-prompts/correctness_prompts", root / "MMPR-v1.2-prompts/images"
    prompts.mkdir(parents=True)
    images.mkdir()
    number = 0
    for stem, questions in asked.items():
        rows: list[dict[str, Any]] = []
        for question, answer, _ in questions:
            names = []
            for _ in range(max(question.count("<image>"), 1)):
                number += 1
                (images / f"{number}.png").write_bytes(picture(number))
                names.append(f"MMPR-v1.2-prompts/images/{number}.png")
            rows.append({"image": names if len(names) > 1 else names[0], "question": question, "answer": answer})
        (prompts / f"{stem}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_made_up_rows_of_every_source_become_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MADE_UP.keys() == table().keys()
    write_corpus(tmp_path, MADE_UP)
    monkeypatch.setenv("MMPR", str(tmp_path))
    asked = {(stem, f"row {row}"): item for stem, rows in MADE_UP.items() for row, item in enumerate(rows, 1)}
    problems = list(read_sources(recipe()))
    assert {(item.source, item.row_id) for item in problems} == asked.keys()
    for problem in problems:
        assert isinstance(problem, Problem), problem
        question, answer, wrong = asked[problem.source, problem.row_id]
        assert (problem.max_tiles, problem.answer) == (table()[problem.source][0], answer)
        assert len(problem.images) == max(question.count("<image>"), 1)
        for ending in (SHORT, LETTER, YES_NO):
            assert problem.question == question.removesuffix(ending) or not question.endswith(ending)
        verdicts = [
            judge(answer, f"I see it.\n\nAnswer: \\boxed{{{given}}}", problem.verify, (), problem.question).status
            for given in (answer, wrong)
        ]
        assert verdicts == ["correct", "incorrect"], (problem.source, problem.row_id)


def test_a_long_file_is_thinned_as_in_the_reference(tmp_path: Path) -> None:
    stem = "super_clevr_en_20240402_int"
    asked = [(f"How many sedans are in row {row}?", str(row), "") for row in range(2 * 40 + 7)]
    write_corpus(tmp_path, {**{name: [] for name in table()}, stem: asked})
    problems = list(read_sources(recipe("visualprm400k", f"data_root={tmp_path}", "source_defaults.limit=40")))
    stride, rows = len(asked) // 40, [answer for _, answer, _ in asked]
    assert [item.answer for item in problems if isinstance(item, Problem)] == rows[0::stride][:40]
