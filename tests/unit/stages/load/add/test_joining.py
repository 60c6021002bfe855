"""By which columns files, or lists in a file, belong together."""

from __future__ import annotations

from typing import Any

import pytest

from stages.load.add.guesses import guess
from stages.load.add.joining import _common_key
from stages.load.add.survey import survey

PICTURES = [{"id": number, "file_name": f"{number}.jpg"} for number in range(1, 6)]
ANSWERS = [{"id": number, "answer": "x"} for number in range(1, 6)]


def asked(*image_ids: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"id": first + place, "image_id": image, "question": "Which?"} for place, image in enumerate(image_ids)]


@pytest.mark.parametrize(
    ("rows", "others", "key"),
    [
        # Both the rows' own numbers and those of their pictures are ids of pictures.
        (asked(5, 4, 3), PICTURES, ("image_id", "id")),
        (asked(5, 4, 3, first=100), PICTURES, ("image_id", "id")),
        (asked(5, 4, 3), ANSWERS, ("id", "id")),
        # More rows agree.
        (asked(70, 80, 3), PICTURES, ("id", "id")),
        ([{"question_id": 2, "question": "?"}], [{"question_id": 2, "answer": "x"}], ("question_id", "question_id")),
        (asked(70, 80, first=50), PICTURES, None),
        (asked(1, 2), [{"id": 1, "answer": "x"}, {"id": 1, "answer": "y"}], None),
    ],
)
def test_the_key_that_rows_have_in_common(
    rows: list[dict[str, Any]], others: list[dict[str, Any]], key: tuple[str, str] | None
) -> None:
    assert _common_key(rows, others, guess(survey(others))) == key
