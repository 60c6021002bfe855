"""Both kinds of tables, to the letter."""

from __future__ import annotations

from pipeline.markdown import compact_table, markdown_table

HEADER, ROWS = ("name", "n", "share"), [("a|b", "1,000", "–"), ("long\nname", "2", "0.5 %")]


def test_a_padded_table_lines_up_and_has_numbers_on_the_right() -> None:
    assert markdown_table(HEADER, ROWS) == (
        "| name      |     n | share |\n"
        "| --------- | ----: | ----: |\n"
        "| a\\|b      | 1,000 |     – |\n"
        "| long name |     2 | 0.5 % |"
    )


def test_a_compact_table_has_no_padding_and_as_many_texts_as_are_asked_for() -> None:
    assert compact_table(HEADER, ROWS) == (
        "| name | n | share |\n|---|---:|---:|\n| a\\|b | 1,000 | – |\n| long name | 2 | 0.5 % |"
    )
    assert compact_table(("a", "b"), [], texts=2) == "| a | b |\n|---|---|"
