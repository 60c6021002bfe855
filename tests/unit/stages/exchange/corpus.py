"""A made-up corpus in the shape of VisualPRM400K-v1.1-Raw, and the reference's post-processing rule."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image

from stages.exchange.values import image_names as stages_names

NAME = "VisualPRM400K-v1.1-Raw"
SOURCES = ("AI2D_train", "nlvr2_en", "mavis_function_poly")


def png(seed: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (8 + seed % 5, 8), (seed % 256, seed * 7 % 256, 3)).save(file, "PNG")
    return file.getvalue()


def raw_row(rng: random.Random, image: str | list[str], question: str, **more: Any) -> dict[str, Any]:
    """One record; about a third of them stop early, some have steps without text."""
    steps = [
        rng.choice(["Zähle.", "So 3 × 4 = 12.", "", "a\nb", "Hence {n}."]).format(n=n) for n in range(rng.randint(1, 6))
    ]
    early_stop, stopped, scored = rng.random() < 0.35, False, []
    for step in steps:
        correct = 0 if stopped else rng.choice([0, 0, 1, 2, 8, 16, 16])
        total = 0 if stopped else 16
        scored.append({"step": step, "score": correct / 16, "num_mc_correct": correct, "num_mc_total": total})
        stopped = early_stop and correct == 0
    placeholders = "" if "<image>" in question else "<image>\n"
    return {
        "image": image,
        "question": f"{placeholders}{question}\nAnswer with the steps first.",
        "answer": "12",
        **more,
        "response": "\n\n".join(steps),
        "steps_with_score": scored,
        "num_mc_sequences": 16,
        "question_orig": question,
    }


def make_rows(seed: int = 0, problems: int = 12) -> dict[str, list[dict[str, Any]]]:
    """File name → records, four a problem, in shuffled order."""
    rng = random.Random(seed)
    files: dict[str, list[dict[str, Any]]] = {}
    for source in SOURCES:
        rows = []
        for problem in range(problems):
            image: str | list[str] = f"{NAME}/{source}/train/{problem}/img.png"
            question = f"Wie groß ist Fläche {problem}?"
            if source == "nlvr2_en":
                image = [f"{NAME}/{source}/images/train/{problem}/{side}.png" for side in ("left", "right")]
                question = f"<image>\n<image>\nIs it true of both ({problem})?"
            more: dict[str, Any] = {"analysis": {"n": problem, "why": None}} if problem % 3 == 0 else {}
            rows += [raw_row(rng, image, question, **more) for _ in range(4)]
        rng.shuffle(rows)
        files[f"{source}.jsonl"] = rows
    for row in files["nlvr2_en.jsonl"][:3]:
        row["image"] = [row["image"]]
    files["AI2D_train.jsonl"][0]["answer"] = 12
    files["AI2D_train.jsonl"][1].pop("question_orig")
    return files


def image_names(files: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    names: set[str] = set()
    for rows in files.values():
        for row in rows:
            names.update(stages_names(row["image"]))
    return sorted(names)


def write_release(folder: Path, files: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """`annotations/*.jsonl` and `images/`, whose paths lack the first component."""
    for name, rows in files.items():
        path = folder / "annotations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for number, name in enumerate(image_names(files)):
        path = folder / "images" / name.partition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    return folder


def reference_conversations(
    rows: Sequence[Mapping[str, Any]], threshold: float, early_stop: bool, system: str
) -> list[dict[str, Any]]:
    """What the published description of the post-processing says, written down independently of the exporter."""
    result = []
    for row in rows:
        talk = [{"from": "system", "value": system}]
        for number, step in enumerate(row["steps_with_score"]):
            says = step["step"]
            if number == 0:
                says = "### Question:\n" + row["question"] + "\n\n### Solution Process:\n" + says
            good = step["score"] > threshold
            talk.append({"from": "human", "value": says})
            talk.append({"from": "gpt", "value": "+" if good else "-"})
            if early_stop and not good:
                break
        result.append({"id": -1, "image": row["image"], "conversations": talk})
    return sorted(result, key=lambda record: str(record["image"]))
