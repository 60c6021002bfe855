"""Where each kind cuts: literal texts, with separators inside code, lists, formulas and Chinese."""

import pytest
from pydantic import ValidationError

from pipeline.config import RunConfig, SplitConfig, parse_config
from pipeline.errors import RowError, UserError
from stages.split import check_kind, split, told
from stages.split.kinds import count_tokens


def cut(kind: str, text: str, tokens: int = 100) -> list[str]:
    return split(text, 100, SplitConfig(kind=kind, tokens=tokens))


CODE = "```python\nfor x in y:\n\n    # Step 1: add. Then stop.\n```"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Look.\n\nStep 1: add.\nIt is 5.\n\nStep 2: halve.", ["Look.", "Step 1: add.\nIt is 5.", "Step 2: halve."]),
        ("**Step 1:** a\n**Step 2:** b", ["**Step 1:** a", "**Step 2:** b"]),
        ("### Step 1\na\n\nb\n### Step 2\nc", ["### Step 1\na\n\nb", "### Step 2\nc"]),
        ("### 1. First\na\n### 2. Then\nb", ["### 1. First\na", "### 2. Then\nb"]),
        ("1. first\n   1. inner\n2. then\n- x\n3) end", ["1. first\n   1. inner", "2. then\n- x", "3) end"]),
        ("1. first:\n1. a\n2. b", ["1. first:\n1. a", "2. b"]),
        ("第一步：看图。\n第二步：相加。", ["第一步：看图。", "第二步：相加。"]),
        ("步骤1：看图\n步骤 2：相加", ["步骤1：看图", "步骤 2：相加"]),
        (f"Step 1: code\n{CODE}\nStep 2: run", [f"Step 1: code\n{CODE}", "Step 2: run"]),
        ("It is 3.\n\nIn step 1 we erred.", ["It is 3.\n\nIn step 1 we erred."]),
        ("3.14 is pi\n1.5 is not", ["3.14 is pi\n1.5 is not"]),
        ("$$\n1. x\n$$", ["$$\n1. x\n$$"]),
    ],
)
def test_numbered(text: str, steps: list[str]) -> None:
    assert cut("numbered", text) == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("<step>a\n\nb</step>\n<step>c</step>\nSo 4.", ["<step>a\n\nb</step>", "<step>c</step>", "So 4."]),
        ("<step 1>a</step><step id='2'>b</step>", ["<step 1>a</step>", "<step id='2'>b</step>"]),
        ("Look.\n<step>a <step>b", ["Look.", "<step>a", "<step>b"]),
        ("`<step>` is a tag, <stepper> is none", ["`<step>` is a tag, <stepper> is none"]),
    ],
)
def test_tags(text: str, steps: list[str]) -> None:
    assert cut("tags", text) == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("We add 3.14 and 2.5. Then we stop! Why? So.", ["We add 3.14 and 2.5.", "Then we stop!", "Why?", "So."]),
        ("See Fig. 3, e.g. the bar. It is 5.", ["See Fig. 3, e.g. the bar.", "It is 5."]),
        ('He says "no." Then he goes.', ['He says "no."', "Then he goes."]),
        ("Then $x. Y$ is 3. And \\(a. B\\) too.", ["Then $x. Y$ is 3.", "And \\(a. B\\) too."]),
        ("So\n$$a.\n\nB = 3.$$\nIt holds.", ["So\n$$a.\n\nB = 3.$$\nIt holds."]),
        ("So $$a. B$$. It holds.", ["So $$a. B$$.", "It holds."]),
        ("\\begin{cases} a. B \\end{cases} holds. Next.", ["\\begin{cases} a. B \\end{cases} holds.", "Next."]),
        ("It costs $5. The other costs $6. Both.", ["It costs $5.", "The other costs $6.", "Both."]),
        ("1. We add. 2 more.\n2. We stop.", ["1. We add.", "2 more.", "2. We stop."]),
        ("- one\n- two\nand on", ["- one", "- two\nand on"]),
        (f"We run:\n{CODE}\nIt works. Good.", ["We run:", f"{CODE}\nIt works.", "Good."]),
        ("```\na. B\nnever closed. C", ["```\na. B\nnever closed. C"]),
        ("看图。他说：“对。”然后相加！得五？是", ["看图。", "他说：“对。”", "然后相加！", "得五？", "是"]),
        ("so on ... and on. Then", ["so on ... and on.", "Then"]),
        ("one line\nthat goes on. End", ["one line\nthat goes on.", "End"]),
        ("a\n\nb\n \nc", ["a", "b", "c"]),
        ("Meets at point C. Then A. is left.", ["Meets at point C.", "Then A. is left."]),
    ],
)
def test_sentences(text: str, steps: list[str]) -> None:
    assert cut("sentences", text) == steps


def test_tokens_gather_paragraphs() -> None:
    text = "one two three\n\nfour\n\nfive six seven eight\n\nnine\n\nten"
    assert cut("tokens", text, tokens=4) == ["one two three\n\nfour", "five six seven eight", "nine\n\nten"]
    assert cut("tokens", text, tokens=1) == text.split("\n\n")
    assert cut("tokens", text, tokens=1000) == [text]
    assert cut("tokens", f"go\n\n{CODE}\n\nend", tokens=1) == ["go", CODE, "end"]


def test_tokens_are_counted_without_a_tokenizer() -> None:
    """Else a scorer, whose model has another one, would find other steps than the dataset has."""
    assert count_tokens("The answer is 1234, 你好 internationally") == 3 + 2 + 1 + 2 + 2


def test_merging_holds_for_every_kind() -> None:
    text = " ".join(f"It is {number}." for number in range(13))
    assert split(text, how=SplitConfig(kind="sentences"))[0] == "It is 0. It is 1."
    assert len(split(text, how=SplitConfig(kind="sentences"))) == 7


def words(text: str) -> list[str]:
    return text.split()


def shout(text: str) -> list[str]:
    return [text.upper()]


def half(text: str) -> list[str]:
    return text.split()[:1]


def fail(text: str) -> list[str]:
    raise KeyError("no")


def numbers(text: str) -> list[int]:
    return [1]


HERE = __name__


def test_a_function_of_the_users() -> None:
    assert cut(f"{HERE}:words", " a b\n c ") == [" a", "b", "c "]
    assert cut(f"{HERE}:words", " \n") == [" \n"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("shout", "piece 1 does not follow in the text: 'A B'"),
        ("half", "left out text: 'b'"),
        ("fail", "raised KeyError"),
        ("numbers", "gave int as piece 1"),
    ],
)
def test_a_function_that_changes_the_text_fails_the_row(name: str, why: str) -> None:
    with pytest.raises(RowError, match=why):
        cut(f"{HERE}:{name}", "a b")


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(ValidationError, match=r"blank_lines.*numbered.*tags"):
        SplitConfig(kind="lines")
    with pytest.raises(UserError, match=r"split\.kind no_module:cut: no_module can't be imported"):
        check_kind("no_module:cut")
    check_kind("sentences")


def test_cards_say_how_steps_were_cut() -> None:
    assert told(SplitConfig()) == "split at blank lines, merged evenly to at most 12"
    assert told(SplitConfig(kind="tokens", tokens=50)).startswith(
        "split between paragraphs, gathered to about a number of tokens (50)"
    )
    assert told(SplitConfig(kind="mine:cut")) == "split by `mine:cut`, merged evenly to at most 12"


def test_defaults_are_no_part_of_what_a_run_records() -> None:
    config: RunConfig = parse_config({"name": "x", "sources": [{"name": "s", "path": "p"}]})
    assert config.model_dump()["split"] == {"max_steps": 12}
