"""Draws the demo's pictures: 144 × 144 pixels on a hidden grid of 4 × 4 cells.

What has to be read lies inside one cell, because the demo policy sees the picture as one token a cell.
"""

import io
import math
import random
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

SIZE = 144
CELL = 36
Color = tuple[int, int, int]
COLORS: dict[str, Color] = {
    "red": (208, 38, 44), "blue": (36, 84, 204), "green": (24, 138, 60),
    "orange": (240, 134, 14), "purple": (136, 46, 168), "black": (34, 34, 34),
}  # fmt: skip
INK: Color = (24, 24, 28)
WHITE: Color = (255, 255, 255)


@lru_cache(maxsize=256)
def _glyph(text: str, size: int) -> Image.Image:
    """The text as a mask, rendered once: drawing must keep up with training."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (int(x) for x in font.getbbox(text))
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font)
    return mask


class Canvas:
    """A picture in the making; positions are pixels, cells are (row, column)."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        paper = rng.choice([(255, 255, 255), (250, 247, 238), (240, 246, 252), (244, 250, 242)])
        self.image = Image.new("RGB", (SIZE, SIZE), paper)
        self.pen = ImageDraw.Draw(self.image)

    def center(self, row: int, column: int, jitter: int = 2) -> tuple[int, int]:
        """The middle of a cell, moved by a few pixels."""
        dx, dy = self.rng.randint(-jitter, jitter), self.rng.randint(-jitter, jitter)
        return column * CELL + CELL // 2 + dx, row * CELL + CELL // 2 + dy

    def text(self, at: tuple[int, int], text: str, color: Color = INK, size: int = 26) -> None:
        """Text centered at a point."""
        mask = _glyph(text, size)
        self.image.paste(color, (at[0] - mask.width // 2, at[1] - mask.height // 2), mask)

    def chip(self, row: int, column: int, text: str, color: Color, *, disc: bool = False) -> None:
        """A coloured tag (or disc) with white text, filling most of its cell."""
        x, y = self.center(row, column)
        box = (x - 15, y - 15, x + 15, y + 15)
        if disc:
            self.pen.ellipse(box, fill=color)
        else:
            self.pen.rounded_rectangle(box, 5, fill=color)
        self.text((x, y), text, WHITE, 24)

    def png(self) -> bytes:
        """The finished picture."""
        out = io.BytesIO()
        self.image.save(out, "PNG")
        return out.getvalue()


def bars(canvas: Canvas, heights: dict[str, int]) -> None:
    """Four coloured bars to scale, each with its value on a tag at its foot."""
    for column, (name, value) in enumerate(heights.items()):
        x = column * CELL + canvas.rng.randint(7, 10)
        canvas.pen.rectangle((x, 106 - 11 * value, x + 19, 106), fill=COLORS[name])
        canvas.chip(3, column, str(value), COLORS[name])
    canvas.pen.line((0, 107, SIZE, 107), fill=INK, width=2)


def shapes(canvas: Canvas, rows: list[list[str]]) -> None:
    """Three shelves with squares, diamonds, circles and triangles."""
    for row, kinds in enumerate(rows):
        for column, kind in enumerate(kinds):
            color = canvas.rng.choice(list(COLORS.values()))
            x, y = canvas.center(row, column)
            if kind == "square":
                canvas.pen.rectangle((x - 10, y - 10, x + 10, y + 10), fill=color)
            elif kind == "diamond":
                canvas.pen.polygon([(x, y - 14), (x + 14, y), (x, y + 14), (x - 14, y)], fill=color)
            elif kind == "circle":
                canvas.pen.ellipse((x - 11, y - 11, x + 11, y + 11), fill=color)
            elif kind == "triangle":
                canvas.pen.polygon([(x, y - 12), (x + 13, y + 11), (x - 13, y + 11)], fill=color)
    for y in (35, 71, 107):
        canvas.pen.line((0, y, SIZE, y), fill=(150, 140, 130), width=1)
    canvas.pen.rectangle((0, 109, SIZE, SIZE), fill=(206, 190, 168))


def table(canvas: Canvas, cells: dict[str, int]) -> None:
    """A table with rows A to C and columns 1 to 3."""
    canvas.pen.rectangle((0, 0, SIZE, CELL - 1), fill=(204, 214, 230))
    canvas.pen.rectangle((0, 0, CELL - 1, SIZE), fill=(204, 214, 230))
    for k in range(1, 4):
        canvas.pen.line((0, k * CELL - 1, SIZE, k * CELL - 1), fill=(120, 128, 140))
        canvas.pen.line((k * CELL - 1, 0, k * CELL - 1, SIZE), fill=(120, 128, 140))
        canvas.text(canvas.center(0, k, 1), str(k), (60, 74, 110), 18)
        canvas.text(canvas.center(k, 0, 1), "ABC"[k - 1], (60, 74, 110), 18)
    for name, value in cells.items():
        canvas.text(canvas.center("ABC".index(name[0]) + 1, int(name[1])), str(value))


def triangle(canvas: Canvas, base: int, height: int) -> None:
    """A triangle over its base, with both lengths written beside their arrows."""
    fill = tuple(200 + c // 5 for c in canvas.rng.choice(list(COLORS.values())))
    apex = canvas.rng.randint(52, 132)
    canvas.pen.polygon([(48, 104), (138, 104), (apex, 8)], fill=fill, outline=INK)
    canvas.pen.line((40, 8, 40, 104), fill=(110, 110, 110), width=2)
    canvas.pen.line((48, 111, 138, 111), fill=(110, 110, 110), width=2)
    canvas.text(canvas.center(canvas.rng.choice((1, 2)), 0), str(height))
    x, y = canvas.center(3, canvas.rng.choice((1, 2)))
    canvas.text((x, y + 4), str(base), size=24)


def ring(canvas: Canvas, outer: int, inner: int) -> None:
    """A ring with its two radii drawn in, and their lengths below."""
    color = canvas.rng.choice(list(COLORS.values()))
    hole = 14 + round(34 * inner / outer * 0.7)
    canvas.pen.ellipse((22, 4, 122, 104), fill=color)
    canvas.pen.ellipse((72 - hole, 54 - hole, 72 + hole, 54 + hole), fill=WHITE)
    canvas.pen.line((72, 54, 72 + 35, 54 - 35), fill=INK, width=2)
    canvas.pen.line((72, 54, 72 - hole, 54), fill=INK, width=2)
    labels = [("R", outer), ("r", inner)]
    canvas.rng.shuffle(labels)
    for k, (name, value) in enumerate(labels):
        x, y = canvas.center(3, 2 * k)
        canvas.text((x, y), f"{name}:", (90, 90, 90), 22)
        canvas.text(canvas.center(3, 2 * k + 1), str(value))


def balls(canvas: Canvas, numbers: dict[str, int]) -> None:
    """Four numbered balls, anywhere."""
    cells = canvas.rng.sample(range(16), len(numbers))
    for cell, (name, value) in zip(cells, numbers.items(), strict=True):
        canvas.chip(cell // 4, cell % 4, str(value), COLORS[name], disc=True)


def pie(canvas: Canvas, parts: dict[str, int]) -> None:
    """A pie in two colours to scale, with the size of each part on a tag below."""
    start = float(canvas.rng.randint(0, 359))
    for name, value in parts.items():
        end = start + 360 * value / sum(parts.values())
        canvas.pen.pieslice((24, 4, 120, 100), start, end, fill=COLORS[name], outline=WHITE)
        start = math.fmod(end, 360)
    columns = canvas.rng.sample(range(4), 2)
    for column, (name, value) in zip(columns, parts.items(), strict=True):
        canvas.chip(3, column, str(value), COLORS[name])


def plate(canvas: Canvas, signs: list[str]) -> None:
    """A door plate with four signs in a row, on one of four floors."""
    row = canvas.rng.randrange(4)
    canvas.pen.rectangle((1, row * CELL, SIZE - 2, row * CELL + CELL - 1), fill=(250, 228, 150), outline=INK)
    for other in set(range(4)) - {row}:
        for column in range(4):
            x, y = canvas.center(other, column)
            canvas.pen.rectangle((x - 8, y - 11, x + 8, y + 11), outline=(150, 160, 175), width=2)
    for column, sign in enumerate(signs):
        canvas.text(canvas.center(row, column), sign)
