"""What a row's answer becomes, by what its source says of golds and of references."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from pipeline.records import GoldReading, References
from stages.load.sources.answers import Given, GoldRules, proper, read_answer, settle

FRUIT = ("apple", "pear", "plum")


def source(**settings: Any) -> SourceConfig:
    return SourceConfig(name="s", path="rows.jsonl", **settings)


def settled(
    answer: Any,
    options: tuple[str, ...] = FRUIT,
    question: str = "Which?",
    reading: GoldReading = "letter",
    demand: bool = True,
    **settings: Any,
) -> tuple[str, References | None]:
    made = source(**settings)
    rules = GoldRules(lambda: reading, demand_options=demand)
    return settle(read_answer(answer, made), options, question, made, rules)


@pytest.mark.parametrize(
    ("answer", "gold", "options", "expected"),
    [
        ("B", "letter", FRUIT, "B"),
        ("b", "letter", FRUIT, "b"),
        ("A", "letter", ("C", "A", "B"), "(A)"),
        ("Pear", "text", FRUIT, "Pear"),
        ("A", "text", ("C", "A", "B"), "A"),
        (1, "index0", FRUIT, "B"),
        (1, "index1", FRUIT, "A"),
        ("2", "index0", ("2", "3", "0"), "C"),
        (0, "index0", ("B", "A"), "(A)"),
        (2, "index0", ("<image>", "<image>", "<image>"), "C"),
    ],
)
def test_a_gold_is_kept_or_spelled_as_a_letter(
    answer: Any, gold: GoldReading, options: tuple[str, ...], expected: str
) -> None:
    assert settled(answer, options, gold=gold) == (expected, None)
    assert settled(answer, options, reading=gold) == (expected, None)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("banana", "text"),
        ("E", "letter"),
        ("15", "index0"),
        (3, "index0"),
        (0, "index1"),
        ("B", "text"),
        ("pear", "letter"),
    ],
)
def test_a_gold_that_is_no_option(answer: Any, gold: GoldReading) -> None:
    with pytest.raises(RowError, match=f"gold_not_an_option.*none of the 3 options \\(gold: {gold}\\)"):
        settled(answer, gold=gold)


@pytest.mark.parametrize("answer", ["B", "(C)", "BD", "A, C"])
def test_letters_without_options(answer: str) -> None:
    with pytest.raises(RowError, match=r"gold_without_options.*set `gold: letter` if the picture shows them"):
        settled(answer, ())
    assert settled(answer, (), gold="letter") == (answer, None)
    assert settled(answer, (), demand=False) == (answer, None)


@pytest.mark.parametrize("answer", ["12", "K", "x", "EACH", "pear", "AB cm", "CO_2"])
def test_free_answers_need_no_options(answer: str) -> None:
    assert settled(answer, ()) == (answer, None)


def test_letters_of_options_in_the_question() -> None:
    question = "Which? (A) 3 (B) 4"
    assert settled("B", (), question) == ("B", None)
    assert settled("4", (), question) == ("4", None)
    assert settled(1, (), question, gold="index0") == ("B", None)
    for gold in ("E", "pear", "12", 1):
        with pytest.raises(RowError, match="gold_not_an_option"):
            settled(gold, (), question)
        assert settled(gold, (), question, gold="letter") == (str(gold), None)


def test_an_index_without_options() -> None:
    with pytest.raises(RowError, match="gold_without_options"):
        settled(1, (), gold="index0")


def test_options_that_the_question_lists_in_another_order() -> None:
    question = "Which?\n(A) plum\n(B) apple\n(C) pear"
    assert settled(1, question=question, gold="index0") == ("C", None)
    assert settled("pear", question=question, gold="text") == ("pear", None)
    with pytest.raises(RowError, match="options_disagree"):
        settled("A", question=question, gold="letter")


@pytest.mark.parametrize(
    ("value", "references", "given"),
    [
        ("x", None, Given(("x",))),
        (["x"], None, Given(("x",))),
        (["x", " x "], None, Given(("x",))),
        ("[x, y]", None, Given(("[x, y]",))),
        ("[2003, 2004]", None, Given(("[2003, 2004]",))),
        ("[2003, 2004]", "all", Given(("2003", "2004"), None)),
        ("[2003, 2004]", "any", None),  # two years, or an interval?
        ("[0, 1.5]", {"at_least": 1}, None),
        ('["2003", "2004"]', "any", Given(("2003", "2004"))),
        ([2003, 2004], "any", Given(("2003", "2004"))),
        ("[2003]", "any", Given(("2003",))),
        ("$[0, 1]$", "any", Given(("$[0, 1]$",))),
        (["1/8/93", "1/8/1993"], "any", Given(("1/8/93", "1/8/1993"))),
        (["x", "y", None, ""], "any", None),
        (["x", "y"], "all", Given(("x", "y"), None)),
        (["x", "x", "y"], {"at_least": 2}, Given(("x", "x", "y"), 2)),
        ([], None, None),
        (["x", "y"], None, None),
        ('["x", "y"]', None, None),
        ([["x"], "y"], "any", None),
    ],
)
def test_several_answers(value: Any, references: Any, given: Given | None) -> None:
    made = source(references=references, verify=["list", "text"])
    if given is None:
        with pytest.raises(RowError, match=r"several_references|empty_answer|wrong_type|ambiguous_list"):
            read_answer(value, made)
    else:
        assert read_answer(value, made) == given


def test_a_text_that_may_be_an_interval_or_references_says_how_to_write_either() -> None:
    told = (
        r"'\[0, 1\]' is a text: one answer .* or 2 references\? Write \[\"0\", \"1\"\] for these, or \$\[0, 1\]\$ for"
    )
    with pytest.raises(RowError, match=told):
        read_answer("[0, 1]", source(references="any"))
    assert read_answer("[0, 2]", source(references="any", gold="index0")) == Given(("0", "2"))


@pytest.mark.parametrize(
    ("value", "pattern", "found"),
    [
        ("2 + 2 = 4\n#### 4", r"####([^\n]+)", " 4"),
        (["so #### 4", "so #### four"], r"####([^\n]+)", [" 4", " four"]),
        (12.5, r"(\d+)", "5"),
        ([7, "8 m"], r"(\d+)", ["7", "8"]),
        (7, "####(.+)", None),
        (["#### 4", "five"], "####(.+)", None),
        ([True, None], "####(.+)", [True, None]),
    ],
)
def test_a_pattern_holds_for_numbers_and_lists(value: Any, pattern: str, found: Any) -> None:
    if found is None:
        with pytest.raises(RowError, match=r"`answer_pattern` matches nothing in the answer '(7|five)'"):
            proper(value, pattern)
    else:
        assert proper(value, pattern) == found


def test_references_are_kept_and_the_most_frequent_is_the_answer() -> None:
    found = settled(["x", "y", "y"], (), references={"at_least": 2})
    assert found == ("y", References(("x", "y", "y"), 2))
    assert settled(["x", "y"], (), references="all", verify=["list"]) == ("[x, y]", None)


def test_references_among_options() -> None:
    assert settled([0, 2], gold="index0", references="all") == ("A, C", None)
    assert settled([0, 2], gold="index0", references="any") == ("A", References(("A", "C"), 1))
    assert settled(["pear", "Pear"], gold="text", references="any") == ("pear", References(("pear", "Pear"), 1))
