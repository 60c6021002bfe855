"""Text for people: tables as Markdown, padded, so that they also line up in a terminal, or compact, for files; and
texts of others, such that they neither steer a terminal nor become part of a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Row = Sequence[str]

# All but tab and line feed: a carriage return goes back over what was written.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ACTIVE = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "[": "\\[", "`": "\\`"}
_BACKTICKS = re.compile(r"`+")


def counted(number: int, noun: str) -> str:
    """`1 problem`, `2,000 problems`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def visible(text: str) -> str:
    """A text for a terminal: control characters, which would steer it, stand as a replacement character."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def quoted(text: str) -> str:
    """A text of somebody else for a Markdown page: no HTML, link, picture or code begins in it."""
    return "".join(_ACTIVE.get(character, character) for character in visible(text))


def code(text: str) -> str:
    """A text of somebody else as inline code, which ends where the text does."""
    fence = _fence(text, 1)
    pad = " " if len(fence) > 1 else ""
    return f"{fence}{pad}{visible(text)}{pad}{fence}"


def code_block(text: str, language: str) -> str:
    """A text of somebody else as a block of code, which ends where the text does. The text ends with a line feed."""
    fence = _fence(text, 3)
    return f"{fence}{language}\n{text}{fence}"


def _fence(text: str, least: int) -> str:
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    return "`" * (longest + 1 if longest >= least else least)


def markdown_table(header: Row, rows: Sequence[Row]) -> str:
    """A table of texts; columns of numbers are right-aligned."""
    cells = _escaped(header, rows)
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [index > 0 and all(row[index][:1] in "0123456789–" for row in rows) for index in range(len(header))]

    def line(row: Row) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ("-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True))
    return "\n".join([line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])])


def compact_table(header: Row, rows: Sequence[Row], texts: int = 1) -> str:
    """A table without padding, of which the first `texts` columns are texts and all others right-aligned numbers."""
    head, *body = (f"| {' | '.join(row)} |" for row in _escaped(header, rows))
    rule = "".join("|---" if column < texts else "|---:" for column in range(len(header)))
    return "\n".join([head, f"{rule}|", *body])


def _escaped(header: Row, rows: Sequence[Row]) -> list[list[str]]:
    """All rows with texts that do not end a cell or a row."""
    return [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, *rows)]
