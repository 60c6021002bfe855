"""Small made-up benchmarks in the layouts that benchmarks come in; the pictures are coloured squares."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

Write = Callable[[Path], Sequence[str]]
"""Writes a benchmark into a folder and gives the words that follow `visualprm add`."""


def png(number: int) -> bytes:
    """The picture of this number."""
    out = io.BytesIO()
    PIL.Image.new("RGB", (40, 30), (40 * number % 256, 90, 200 - 9 * number)).save(out, "PNG")
    return out.getvalue()


def b64(number: int) -> str:
    return base64.b64encode(png(number)).decode()


@dataclass(frozen=True)
class Row:
    """What a row must become: its pictures by their numbers."""

    question: str
    answer: str
    pictures: tuple[int, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    write: Write
    rows: tuple[Row, ...]
    edits: dict[str, Any] = field(default_factory=dict)
    """Settings that a person changes in what `add` writes."""


def _pictures(folder: Path, *names: str) -> None:
    """Picture files, numbered from 1 in the order of their names."""
    for number, name in enumerate(names, 1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(number))


def _json(path: Path, value: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return str(path)


def _lines(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def _table(path: Path, rows: Sequence[dict[str, Any]], delimiter: str = ",") -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _tar(path: Path, members: dict[str, bytes]) -> str:
    packed: Any = gzip.open if path.suffix == ".gz" else open
    with packed(path, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


def _struct(number: int | None) -> dict[str, Any] | None:
    return None if number is None else {"bytes": png(number), "path": f"{number}.png"}


HATS, DOTS = Row("How many hats?", "3", (1,)), Row("How many dots?", "5", (2,))
PETS = ("cat", "owl", "newt")


def numbered_columns(folder: Path) -> list[str]:
    rows = [
        {"id": "a", "question": "Sort <image 1> and <image 2>.", "options": "['up', \"Ann's\"]", "answer": "B",
         "image_1": _struct(1), "image_2": _struct(2)},
        {"id": "b", "question": "What does <image 1> show?", "options": "[]", "answer": "7.5",
         "image_1": _struct(3), "image_2": None},
    ]  # fmt: skip
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    text = pa.string()
    schema = pa.schema(
        [("id", text), ("question", text), ("options", text), ("answer", text), ("image_1", kind), ("image_2", kind)]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "dev-00000-of-00001.parquet")
    return [str(folder)]


def keyed_by_id(folder: Path) -> list[str]:
    _pictures(folder, "pics/7.png", "pics/9.png")
    rows = {"q7": {"query": HATS.question, "image": "pics/7.png", "answer": "3"},
            "q9": {"query": DOTS.question, "image": "pics/9.png", "answer": "5"}}  # fmt: skip
    return [_json(folder / "set.json", rows)]


def picture_in_a_folder_of_its_key(folder: Path) -> list[str]:
    _pictures(folder, "val/11/picture.png", "test/12/picture.png")
    rows = {"11": {"question": HATS.question, "answer": "3", "split": "val", "image": "picture.png"},
            "12": {"question": DOTS.question, "answer": "5", "split": "test", "image": "picture.png"},
            "13": {"question": "No picture?", "answer": "1", "split": "test", "image": None}}  # fmt: skip
    return [_json(folder / "all.json", rows)]


def numbers_as_names(folder: Path) -> list[str]:
    _pictures(folder / "shots", "shot_000000000031.jpg", "shot_000000000207.jpg")
    rows = [{"image_id": 31, "question_id": 1, "question": HATS.question, "answer": "3"},
            {"image_id": 207, "question_id": 2, "question": DOTS.question, "answer": "5"}]  # fmt: skip
    return [_json(folder / "q.json", rows), "--images", str(folder / "shots")]


def two_files(folder: Path) -> list[str]:
    _pictures(folder / "im", "31.png", "207.png")
    asked = [
        {"image_id": 31, "question_id": 5, "question": HATS.question},
        {"image_id": 207, "question_id": 6, "question": DOTS.question},
    ]
    gold = [{"question_id": 6, "multiple_choice_answer": "5", "answers": [{"answer": "5"}, {"answer": "4"}]},
            {"question_id": 5, "multiple_choice_answer": "3", "answers": [{"answer": "3"}]}]  # fmt: skip
    _json(folder / "asked.json", {"info": {}, "questions": asked})
    _json(folder / "gold.json", {"annotations": gold})
    return [str(folder / "asked.json"), str(folder / "gold.json"), "--images", str(folder / "im")]


def pictures_listed_apart(folder: Path) -> list[str]:
    _pictures(folder / "im", "x.png", "y.png")
    value = {
        "images": [{"id": 2, "file_name": "y.png"}, {"id": 1, "file_name": "x.png"}],
        "annotations": [{"id": 8, "image_id": 1, "question": HATS.question, "answer": "3"},
                        {"id": 9, "image_id": 2, "question": DOTS.question, "answer": "5"}],
    }  # fmt: skip
    return [_json(folder / "all.json", value), "--images", str(folder / "im")]


def questions_inside_pictures(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    hats, dots = ({"question": row.question, "answer": row.answer} for row in (HATS, DOTS))
    value = [{"image": "x.png", "qas": [{"id": "p", **hats}]}, {"image": "y.png", "qas": [{"id": "q", **dots}]}]
    return [_json(folder / "all.json", {"version": "1", "data": value})]


def share_gpt(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")

    def turns(question: str, answer: str) -> list[dict[str, str]]:
        return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]

    system = {"from": "system", "value": "Be brief."}
    rows = [{"id": "a", "image": "x.png", "conversations": turns("<image>\nHow many hats?", "3")},
            {"id": "b", "image": "y.png", "conversations": [system, *turns("How many dots?", "5")]}]  # fmt: skip
    return [_json(folder / "train.json", rows)]


def messages_of_parts(folder: Path) -> list[str]:
    def row(question: str, answer: str, number: int) -> dict[str, Any]:
        url = {"url": f"data:image/png;base64,{b64(number)}"}
        parts = [{"type": "image_url", "image_url": url}, {"type": "text", "text": question}]
        return {
            "messages": [
                {"role": "user", "content": parts},
                {"role": "assistant", "content": [{"type": "text", "text": answer}]},
            ]
        }

    return [_lines(folder / "chat.jsonl", [row(HATS.question, "3", 1), row(DOTS.question, "5", 2)])]


def samples(folder: Path) -> list[str]:
    members = {}
    for number, row in ((1, HATS), (2, DOTS)):
        members[f"s{number}.png"] = png(number)
        members[f"s{number}.json"] = json.dumps({"question": row.question, "answer": row.answer}).encode()
    _tar(folder / "train-000000.tar", dict(list(members.items())[:2]))
    _tar(folder / "train-000001.tar", dict(list(members.items())[2:]))
    return [str(folder)]


def samples_of_text(folder: Path) -> list[str]:
    members = {}
    for number, row in ((1, HATS), (2, DOTS)):
        members[f"d/s{number}.jpg"] = png(number)
        members[f"d/s{number}.question.txt"] = row.question.encode()
        members[f"d/s{number}.cls"] = row.answer.encode()
    return [_tar(folder / "train.tar.gz", members)]


def coded_pictures(folder: Path) -> list[str]:
    pets = {"A": "cat", "B": "owl", "C": "newt"}
    rows = [
        {"index": 4, "image": b64(1), "question": "Who?", "hint": "", **pets, "answer": "B"},
        {
            "index": 1004,
            "image": "4",
            "question": "Who?",
            "hint": "Look up.",
            "A": "owl",
            "B": "cat",
            "C": "",
            "answer": "A",
        },
        {
            "index": 5,
            "image": str([b64(2), b64(3)]),
            "question": "Both?",
            "hint": "",
            "A": "yes",
            "B": "no",
            "C": "",
            "answer": "A",
        },
    ]
    return [_table(folder / "set.tsv", rows, "\t")]


def picture_folder(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    _table(folder / "metadata.csv", [{"file_name": "x.png", "question": HATS.question, "answer": "3"},
                                     {"file_name": "y.png", "question": DOTS.question, "answer": "5"}])  # fmt: skip
    return [str(folder)]


def folder_tree(folder: Path) -> list[str]:
    for number, row in ((1, HATS), (2, DOTS)):
        _json(folder / f"train/{number}/data.json", {"problem_text": row.question, "answer": row.answer})
        (folder / f"train/{number}/img.png").write_bytes(png(number))
    return [str(folder)]


def files_beside_their_pictures(folder: Path) -> list[str]:
    for number, row in ((1, HATS), (2, DOTS)):
        _json(folder / f"{number}.json", {"question": row.question, "answer": row.answer})
        (folder / f"{number}.png").write_bytes(png(number))
    return [str(folder)]


def lists_as_text(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [{"id": 1, "images": "['x.png', 'y.png']", "question": "Which?", "options": "['cat', 'owl', \"newt's\"]", "answer": "B"},
            {"id": 2, "images": '["y.png"]', "question": "Which?", "options": '["cat", "owl"]', "answer": "A"}]  # fmt: skip
    return [_table(folder / "set.csv", rows)]


def separated_options(folder: Path) -> list[str]:
    _pictures(folder, "x.png")
    return [
        _table(
            folder / "set.csv", [{"image": "x.png", "question": "Which?", "choices": "cat | owl | newt", "answer": "B"}]
        )
    ]


def option_objects(folder: Path) -> list[str]:
    _pictures(folder, "x.png")
    choices = [{"label": letter, "text": text} for letter, text in zip("ABC", PETS, strict=True)]
    return [
        _lines(folder / "set.jsonl", [{"image": "x.png", "question": "Which?", "choices": choices, "answerKey": "C"}])
    ]


def named_options(folder: Path) -> list[str]:
    _pictures(folder, "x.png")
    row = {
        "img": "x.png",
        "question": "Which?",
        "option_a": "cat",
        "option_b": "owl",
        "option_c": "newt",
        "correct_option": "C",
    }
    return [_table(folder / "set.csv", [row])]


def lists_of_pictures(folder: Path) -> list[str]:
    rows = [{"images": [_struct(1), _struct(2)], "problem": "<image><image>Which hat?", "answer": "left"}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train.parquet")
    return [str(folder / "train.parquet")]


def zipped(folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr(
            "set/rows.json", json.dumps([{"image": "set/im/x.png", "question": HATS.question, "answer": "3"}])
        )
        archive.writestr("set/im/x.png", png(1))
        archive.writestr("__MACOSX/set/._rows.json", b"\0")
    return [str(folder / "all.zip")]


def rows_in_a_tar(folder: Path) -> list[str]:
    rows = json.dumps({"image": "im/x.png", "question": HATS.question, "answer": "3"}).encode()
    return [_tar(folder / "all.tar", {"rows.jsonl": rows, "im/x.png": png(1)})]


def pictures_in_another_folder(folder: Path) -> list[str]:
    _pictures(folder / "im", "x.png", "y.png")
    rows = [
        {"image": "x.png", "question": HATS.question, "answer": "3"},
        {"image": "y.png", "question": DOTS.question, "answer": "5"},
    ]
    _json(folder / "annotations/set.json", rows)
    return [str(folder)]


def packed_lines(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [
        {"image": "x.png", "question": HATS.question, "answer": "3"},
        {"image": "y.png", "question": DOTS.question, "answer": "5"},
    ]
    (folder / "set.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return [str(folder / "set.jsonl.gz")]


def lines_called_json(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [
        {"image": "x.png", "question": HATS.question, "answer": "3"},
        {"image": "y.png", "question": DOTS.question, "answer": "5"},
    ]
    return [_lines(folder / "set.json", rows)]


def truth_values(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [
        {"image": "x.png", "question": "Is it red?", "answer": True},
        {"image": "y.png", "question": "Is it blue?", "answer": False},
    ]
    return [_lines(folder / "set.jsonl", rows)]


def one_item_lists(folder: Path) -> list[str]:
    rows = [
        {"image": _struct(1), "query": HATS.question, "label": ["3"]},
        {"image": _struct(2), "query": DOTS.question, "label": ["5"]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "test.parquet")
    return [str(folder / "test.parquet")]


def indices(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [{"image": "x.png", "question": "Which?", "choices": PETS, "correct_choice_idx": 1},
            {"image": "y.png", "question": "Which?", "choices": PETS, "correct_choice_idx": 2}]  # fmt: skip
    return [_lines(folder / "set.jsonl", rows)]


def several_answers(folder: Path) -> list[str]:
    _pictures(folder, "x.png", "y.png")
    rows = [{"image": "x.png", "question": HATS.question, "answers": ["3", "three"]},
            {"image": "y.png", "question": DOTS.question, "answers": ["5"]}]  # fmt: skip
    return [_json(folder / "set.json", {"set": "made up", "data": rows})]


BENCHMARKS: dict[str, Benchmark] = {
    "numbered columns": Benchmark(
        numbered_columns,
        (Row("Sort <image> and <image>.", "B", (1, 2), ("up", "Ann's")), Row("What does <image> show?", "7.5", (3,))),
    ),
    "an object of rows by their keys": Benchmark(keyed_by_id, (HATS, DOTS)),
    "a picture in a folder of its key": Benchmark(picture_in_a_folder_of_its_key, (HATS, DOTS)),
    "numbers as names": Benchmark(numbers_as_names, (HATS, DOTS)),
    "two files": Benchmark(two_files, (HATS, DOTS)),
    "pictures listed apart": Benchmark(pictures_listed_apart, (HATS, DOTS)),
    "questions inside pictures": Benchmark(questions_inside_pictures, (HATS, DOTS)),
    "turns": Benchmark(share_gpt, (Row("<image>\nHow many hats?", "3", (1,)), DOTS)),
    "messages of parts": Benchmark(
        messages_of_parts, (Row("<image>How many hats?", "3", (1,)), Row("<image>How many dots?", "5", (2,)))
    ),
    "samples": Benchmark(samples, (HATS, DOTS)),
    "samples of text": Benchmark(samples_of_text, (HATS, DOTS)),
    "coded pictures": Benchmark(
        coded_pictures,
        (
            Row("Who?", "B", (1,), PETS),
            Row("Look up.\nWho?", "A", (1,), ("owl", "cat")),
            Row("Both?", "A", (2, 3), ("yes", "no")),
        ),
    ),
    "a picture folder": Benchmark(picture_folder, (HATS, DOTS)),
    "a folder tree": Benchmark(folder_tree, (HATS, DOTS)),
    "files beside their pictures": Benchmark(files_beside_their_pictures, (HATS, DOTS)),
    "lists as text": Benchmark(
        lists_as_text,
        (Row("Which?", "B", (1, 2), ("cat", "owl", "newt's")), Row("Which?", "A", (2,), ("cat", "owl"))),
    ),
    "separated options": Benchmark(separated_options, (Row("Which?", "B", (1,), PETS),)),
    "option objects": Benchmark(option_objects, (Row("Which?", "C", (1,), PETS),)),
    "named options": Benchmark(named_options, (Row("Which?", "C", (1,), PETS),)),
    "lists of pictures": Benchmark(lists_of_pictures, (Row("<image><image>Which hat?", "left", (1, 2)),)),
    "a zip": Benchmark(zipped, (HATS,)),
    "rows in a tar": Benchmark(rows_in_a_tar, (HATS,)),
    "pictures in another folder": Benchmark(pictures_in_another_folder, (HATS, DOTS)),
    "packed lines": Benchmark(packed_lines, (HATS, DOTS)),
    "lines called json": Benchmark(lines_called_json, (HATS, DOTS)),
    "truth values": Benchmark(
        truth_values, (Row("Is it red?", "Yes", (1,)), Row("Is it blue?", "No", (2,))), {"booleans": ("Yes", "No")}
    ),
    "lists of one": Benchmark(one_item_lists, (HATS, DOTS)),
    "indices": Benchmark(indices, (Row("Which?", "B", (1,), PETS), Row("Which?", "C", (2,), PETS)), {"gold": "index0"}),
    "several answers": Benchmark(several_answers, (HATS, DOTS), {"references": "any"}),
}
