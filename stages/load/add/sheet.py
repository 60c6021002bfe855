"""A contact sheet: the pictures of some problems on one page, each row with its problem's name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import PIL.Image
import PIL.ImageDraw

from pipeline.markdown import counted
from pipeline.records import Problem

SIDE = 240
"""Pixels of a picture's longer side."""
_GAP, _TITLE = 12, 24


def write_sheet(problems: Sequence[Problem], path: Path) -> None:
    """Writes the pictures of the problems, in the order in which the policy sees them."""
    columns = max((len(problem.images) for problem in problems), default=0)
    height = (SIDE + _TITLE + _GAP) * len(problems) + _GAP
    sheet = PIL.Image.new("RGB", ((SIDE + _GAP) * max(columns, 1) + _GAP, height), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    for row, problem in enumerate(problems):
        top = _GAP + row * (SIDE + _TITLE + _GAP)
        title = f"{problem.row_id[:40]}: {counted(len(problem.images), 'image')}"
        draw.text((_GAP, top), title.encode("ascii", "replace").decode(), fill="black")
        for column, image in enumerate(problem.images):
            picture = PIL.Image.open(io.BytesIO(image.data)).convert("RGB")
            picture.thumbnail((SIDE, SIDE))
            place = (_GAP + column * (SIDE + _GAP), top + _TITLE)
            sheet.paste(picture, place)
            draw.rectangle(
                (place[0] - 1, place[1] - 1, place[0] + picture.width, place[1] + picture.height), outline="gray"
            )
    sheet.save(path)
