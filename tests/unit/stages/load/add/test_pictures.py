"""Where a source's pictures lie: the right file for every row, or a line that says why it can't be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.load.add.guesses import guess
from stages.load.add.pictures import Pictures, find_pictures
from stages.load.add.survey import survey


def find(folder: Path, files: list[str], rows: list[dict[str, Any]]) -> Pictures:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    columns = survey(rows)
    return find_pictures(rows, columns, guess(columns).image, None, folder, {"question", "answer"})


@pytest.mark.parametrize(
    ("files", "rows", "image", "found"),
    [
        (["a.png"], [{"image": "a.png"}], "image", 1),
        (["im/a.png"], [{"image": "a.png"}], "im/{image}", 1),
        (["im/a.png"], [{"image": "old/place/a.png"}], "im/{image:name}", 1),
        (["im/a.png", "im/b.png"], [{"image": ["a.png", "b.png"]}], "im/{image}", 1),
        (["im/a.jpg"], [{"image": "a"}], "im/{image}.jpg", 1),
        (["x_000042.jpg", "x_000007.jpg"], [{"image_id": 42}, {"image_id": "7"}], "x_{image_id:06d}.jpg", 2),
        (["v42.jpg", "v7.jpg"], [{"image_id": 42}, {"image_id": 7}], "v{image_id}.jpg", 2),
        (["t/1/p.png", "t/2/p.png"], [{"_key": k, "image": "p.png", "split": "t"} for k in "12"], "{split}/{_key}/{image}", 2),
        (["im/7.png", "im/8.png"], [{"_key": "7"}, {"_key": "8"}], "im/{_key}.png", 2),
        (["im/c7.png", "im/c8.png"], [{"clip": "c7"}, {"clip": "c8"}], "im/{clip}.png", 2),
        (["1/p.png", "2/p.png"], [{"_folder": "1", "_stem": "d"}, {"_folder": "2", "_stem": "d"}], "{_folder}/p.png", 2),
    ],
)  # fmt: skip
def test_the_setting_that_finds_every_picture(
    tmp_path: Path, files: list[str], rows: list[dict[str, Any]], image: str, found: int
) -> None:
    pictures = find(tmp_path, files, [{"question": "Q?", "answer": "7", **row} for row in rows])
    assert (pictures.image, pictures.found) == ([image], found)


def test_a_picture_that_is_missing_does_not_make_all_rows_share_another(tmp_path: Path) -> None:
    rows = [{"_key": key, "image": "p.png", "split": "t"} for key in "1234"]
    pictures = find(tmp_path, ["t/1/p.png", "t/2/p.png", "t/3/p.png"], rows)
    assert (pictures.image, pictures.found) == (["{split}/{_key}/{image}"], 3)
    rows = [{"_folder": "p", "_stem": stem} for stem in "1234"]
    pictures = find(tmp_path, ["p/1.png", "p/2.png", "p/3.png"], rows)
    assert (pictures.image, pictures.found) == (["{_folder}/{_stem}.png"], 3)


def test_files_of_one_name_in_two_folders_are_not_chosen_among(tmp_path: Path) -> None:
    files = [f"{folder}/{number}.png" for folder in ("train", "val") for number in (1, 2)]
    pictures = find(tmp_path, files, [{"image": "1.png"}, {"image": "2.png"}])
    assert pictures.found == 0
    assert "lie in several places, such as val/{image} and train/{image}: give --images" in pictures.notes[0]
    pictures = find(tmp_path, files, [{"image": "x/train/1.png"}, {"image": "x/val/1.png"}])
    assert pictures.found == 0


def test_nothing_that_fits(tmp_path: Path) -> None:
    pictures = find(tmp_path, ["a.png"], [{"image_id": 12}])
    assert pictures.notes[0].endswith(
        "(1 pictures there): give --images; if its files are called by number, image: '{image_id:012d}.jpg'"
    )
