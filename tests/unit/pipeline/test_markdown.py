"""Both kinds of tables, and texts of others, to the letter."""

from __future__ import annotations

from pipeline.markdown import code, code_block, compact_table, counted, markdown_table, quoted, visible

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


def test_a_text_neither_steers_a_terminal_nor_becomes_part_of_a_page() -> None:
    assert visible("a\x1b[2Jb\r\tc\n\x9bd") == "a\ufffd[2Jb\ufffd\tc\n\ufffdd"
    assert quoted("<img src=x onerror=alert(1)> & ![a](http://b) `c`\x07") == (
        "&lt;img src=x onerror=alert(1)&gt; &amp; !\\[a](http://b) \\`c\\`\ufffd"
    )
    assert quoted("geo_170k/a-b.c+d") == "geo_170k/a-b.c+d"
    assert code("a_model") == "`a_model`"
    assert code("a`<b>``") == "``` a`<b>`` ```"
    assert code_block("a: 1\n", "yaml") == "```yaml\na: 1\n```"
    assert code_block("a: |\n  ```\n  <b>\n", "yaml") == "````yaml\na: |\n  ```\n  <b>\n````"


def test_plural_forms() -> None:
    assert [counted(number, "problem") for number in (0, 1, 2000)] == ["0 problems", "1 problem", "2,000 problems"]
