"""DualMath's rows, on literal records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import RowError
from stages.exchange import dualmath
from stages.exchange.format import ImportOptions
from stages.exchange.importing import import_corpus
from stages.publish.reading import read_rows
from tests.unit.stages.exchange.corpus import png

TOLD = "You are given a problem and a step-by-step solution. You need to check the correctness of each step.\nQuestion:"
RECORD = {
    "image_url": "Geo170K/geo3k/1.png",
    "instruction": f"{TOLD}How long is AB?\nStep 1: AC and BC are 3. и\nStep 2: So AB = 4. и\n†Answer: 4",
    "output": f"{TOLD}How long is AB?\nStep 1: AC and BC are 3. <pos>\nStep 2: So AB = 4. <neg>\n†Answer: 4",
}
STEPS = [("Step 1: AC and BC are 3.", "+"), ("Step 2: So AB = 4.", "-")]


def test_each_step_gets_the_label_in_its_place() -> None:
    assert dualmath.read(RECORD) == ("How long is AB?", STEPS)


@pytest.mark.parametrize(
    "output",
    [
        "<pos> <neg>",
        "Step 1: AC and BC are 3. <pos>\nStep 2: So AB = 4. <neg>\n†Answer: 4",
        "Step 1: AC and BC are 3. и <pos>\nStep 2: So AB = 4. и <neg>",
    ],
    ids=["labels alone", "without the question", "behind the marks"],
)
def test_the_output_may_hold_less(output: str) -> None:
    assert dualmath.read({**RECORD, "output": output}) == ("How long is AB?", STEPS)


def test_a_chinese_solution_and_a_question_in_numbered_parts() -> None:
    text = f"{TOLD}Step 1: 2 + 2?\n步骤 1：等于 4。 и 步骤 2：所以 4。 и †Answer: 4"
    found = dualmath.read({**RECORD, "instruction": text, "output": "<pos><pos>"})
    assert found == ("Step 1: 2 + 2?", [("步骤 1：等于 4。", "+"), ("步骤 2：所以 4。", "+")])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"output": "<pos>"}, "odd_labels"),
        ({"output": "<pos> <neg> <neg>"}, "odd_labels"),
        ({"output": ""}, "odd_labels"),
        ({"output": "Step 2: So AB = 4. <neg> Step 1: AC and BC are 3. <pos>"}, "odd_labels"),
        ({"output": RECORD["output"].replace("= 4", "= 5")}, "odd_labels"),
        ({"instruction": RECORD["instruction"].replace("and", "и")}, "odd_labels"),
        ({"instruction": f"{TOLD}How long?\n3 и 4 и"}, "odd_steps"),
        ({"instruction": f"{TOLD}How long?\nStep 1: 3."}, "odd_steps"),
        ({"instruction": f"{TOLD}\nStep 1: 3. и Step 2: 4. и"}, "empty_question"),
        ({"instruction": f"{TOLD}?\nStep 1: 3. и  и"}, "empty_step"),
        ({"instruction": None}, "wrong_type"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as refused:
        dualmath.read({**RECORD, "output": "<pos><neg>", **change})
    assert refused.value.reason == reason


def test_it_becomes_a_dataset_with_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "images" / RECORD["image_url"]
    picture.parent.mkdir(parents=True)
    picture.write_bytes(png(1))
    (tmp_path / "train.jsonl").write_text(json.dumps(RECORD, ensure_ascii=False) + "\n")
    import_corpus("dualmath", str(tmp_path / "train.jsonl"), str(tmp_path / "out"), ImportOptions())
    (row,) = read_rows(str(tmp_path / "out"))
    assert (row["question"], len(row["images"])) == ("How long is AB?", 1)
    assert [(each["step"], each["label"], each["score"]) for each in row["steps_with_score"]] == [
        (*turn, None) for turn in STEPS
    ]
