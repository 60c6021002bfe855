"""Tables for people, as Markdown: padded, so that they also line up in a terminal, or compact, for files."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


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
