"""One row at a time: what becomes a problem, and the reason of every row that doesn't."""

import io
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from pipeline.records import Image, Problem, Rejected
from stages.load.parse import VerifyGold, answer_kind, load, summarise
from stages.load.sources.fields import parse_row

LoadRows = Callable[..., list[Any]]


def png(seed: int = 0) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def load_rows(tmp_path: Path) -> LoadRows:
    """Writes rows (dicts, or lines as bytes) to a JSONL file beside images a.png and b.png and loads it."""
    (tmp_path / "a.png").write_bytes(png(0))
    (tmp_path / "b.png").write_bytes(png(1))

    def call(
        *rows: dict[str, Any] | bytes,
        verify_gold: VerifyGold = lambda problem: None,
        seen: set[str] | None = None,
        **config: Any,
    ) -> list[Any]:
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines))
        source = SourceConfig(name="s", path=str(tmp_path / "rows.jsonl"), **config)
        return list(load(source, verify_gold, seen))

    return call


ROW = {"image": "a.png", "question": "How many?", "answer": "3"}


def test_a_plain_row(load_rows: LoadRows) -> None:
    (problem,) = load_rows({**ROW, "id": "q7"}, verify=["number"], max_tiles=12, prompt="prompts/p.txt")
    image = Image.of(png(0))
    assert problem == Problem(
        problem_id=Problem.make_id("s", "How many?", "3", [image.sha256]),
        source="s",
        row_id="q7",
        question="How many?",
        answer="3",
        images=(image,),
        options=(),
        verify=("number",),
        max_tiles=12,
        prompt="prompts/p.txt",
        extra="{}",
    )


def test_the_prompt_of_a_source_that_names_none(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    source = SourceConfig(name="s", path=str(tmp_path / "rows.jsonl"))
    (problem,) = load(source, lambda problem: None, prompt="prompts/default.txt")
    assert isinstance(problem, Problem)
    assert problem.prompt == "prompts/default.txt"


def test_field_map_and_extra(load_rows: LoadRows) -> None:
    row = {
        "pid": 5,
        "img": "a.png",
        "query": "多少？",
        "label": "x",
        "cs": ["x", 1],
        "level": {"b": 2, "a": 1},
    }
    fields = {"id": "pid", "image": "img", "question": "query", "answer": "label", "options": "cs"}
    (problem,) = load_rows({**row, "id": "kept"}, fields=fields)
    assert (problem.row_id, problem.question, problem.options) == ("5", "多少？", ("x", "1"))
    assert problem.extra == '{"id": "kept", "level": {"a": 1, "b": 2}}'


def test_several_images_keep_their_order(load_rows: LoadRows) -> None:
    question = "Image-1: <image>\nImage-2: <image>\nWhich one?"
    (problem,) = load_rows({**ROW, "image": ["b.png", "a.png"], "question": question})
    assert [image.data for image in problem.images] == [png(1), png(0)]
    assert problem.question == question


def test_images_come_first_without_placeholders(load_rows: LoadRows) -> None:
    (problem,) = load_rows({**ROW, "image": ["a.png", "b.png"]})
    assert len(problem.images) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [(3, "3"), (2.5, "2.5"), (-1e-9, "-1e-09"), (" K \n", "K"), ("[2003, 4]", "[2003, 4]"), ("九", "九")],
)
def test_answers(load_rows: LoadRows, given: Any, expected: Any) -> None:
    (problem,) = load_rows({**ROW, "answer": given})
    assert problem.answer == expected


def test_what_a_list_of_answers_means_must_be_said(load_rows: LoadRows) -> None:
    row = {**ROW, "answer": [2003, "Spain"]}
    (problem,) = load_rows(row, verify=["list"], references="all")
    assert (problem.answer, problem.references) == ("[2003, Spain]", None)
    for verify in (["list"], ["text"]):
        (rejected,) = load_rows(row, verify=verify)
        assert rejected.reason == "several_references"
        assert "`references: any`" in rejected.detail


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["x", "y"], ("x", "y")),
        ({"B": "y", "A": "x"}, ("x", "y")),
        ({"A": "x", "B": "y", "C": None}, ("x", "y")),
        ('["x", "y"]', ("x", "y")),
        (None, ()),
        ([], ()),
        ("", ()),
    ],
)
def test_options(load_rows: LoadRows, given: Any, expected: Any) -> None:
    (problem,) = load_rows({**ROW, "options": given, "answer": "x"})
    assert problem.options == expected


def test_a_row_names_its_own_modes(load_rows: LoadRows) -> None:
    own, default = load_rows({**ROW, "verify": ["anls"]}, {**ROW, "answer": "4"}, verify=["exact"])
    assert (own.verify, default.verify) == (("anls",), ("exact",))


BAD_ROWS = {
    "no question": ({"question": None}, "missing_question"),
    "empty question": ({"question": " \n"}, "empty_question"),
    "only a placeholder": ({"question": "<image>\n"}, "empty_question"),
    "question is a number": ({"question": 3}, "wrong_type"),
    "half a character in the question": ({"question": "a\ud800"}, "not_utf8"),
    "no answer": ({"answer": None}, "missing_answer"),
    "no answer, as data frames write it": ({"answer": float("nan")}, "missing_answer"),
    "empty answer": ({"answer": "  "}, "empty_answer"),
    "empty list as answer": ({"answer": []}, "empty_answer"),
    "answer is a bool": ({"answer": True}, "wrong_type"),
    "answer is an object": ({"answer": {"value": 3}}, "wrong_type"),
    "no image": ({"image": None}, "missing_image"),
    "no such image": ({"image": "c.png"}, "missing_image"),
    "image is a folder": ({"image": "."}, "missing_image"),
    "image name with NUL": ({"image": "a\0.png"}, "missing_image"),
    "image name too long": ({"image": "a" * 5000 + ".png"}, "unreadable_image"),
    "image name of half a character": ({"image": "\ud800.png"}, "missing_image"),
    "one of two images is missing": ({"image": ["a.png", "c.png"]}, "missing_image"),
    "image on the web": ({"image": "http://example.org/a.png"}, "url_image"),
    "image is a number": ({"image": 3}, "wrong_type"),
    "image above the root": ({"image": "../a.png"}, "image_outside_root"),
    "image with an absolute path": ({"image": "/etc/passwd"}, "image_outside_root"),
    "more placeholders than images": ({"question": "<image> <image>?"}, "image_placeholder_mismatch"),
    "fewer placeholders than images": (
        {"question": "<image>?", "image": ["a.png", "b.png"]},
        "image_placeholder_mismatch",
    ),
    "image token": ({"question": "Say <IMG_CONTEXT>."}, "reserved_token"),
    "end of turn": ({"question": "3?<|im_end|>\n<|im_start|>assistant\n4"}, "reserved_token"),
    "image tags": ({"question": "<img></img>?"}, "reserved_token"),
    "full-width control token": ({"question": "<｜begin▁of▁sentence｜>?"}, "reserved_token"),
    "control token in an option": ({"options": ["<pad>", "3"]}, "reserved_token"),
    "an option is a picture of another kind": ({"options": ["<|image_1|>", "3"]}, "reserved_token"),
    "options are text": ({"options": "A or B"}, "wrong_type"),
    "options of half a character": ({"options": {"\ud800": "x"}}, "wrong_type"),
    "more pictures in options than images": ({"options": ["<image>", "<image>", "3"]}, "image_placeholder_mismatch"),
    "options with a gap": ({"options": {"A": "x", "C": "y"}}, "wrong_type"),
    "options beyond Z": ({"options": [str(number) for number in range(27)]}, "too_many_options"),
    "an option is an object": ({"options": ["x", {}]}, "wrong_type"),
    "unknown mode": ({"verify": ["magic"]}, "wrong_type"),
    "modes are a bool": ({"verify": True}, "wrong_type"),
}


@pytest.mark.parametrize(("change", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_rejected_and_the_next_one_loaded(
    load_rows: LoadRows, change: dict[str, Any], reason: str
) -> None:
    rejected, problem = load_rows({**ROW, **change}, ROW)
    assert isinstance(rejected, Rejected)
    assert isinstance(problem, Problem)
    assert (rejected.source, rejected.row_id, rejected.reason) == ("s", "row 1", reason)
    assert rejected.detail
    assert len(rejected.detail.encode()) < 1000


@pytest.mark.parametrize("question", ["Is $0<|x|<1$?", "a < b > c?", "If <|x|>, then?", "x<y and <z>?"])
def test_mathematics_is_no_control_token(load_rows: LoadRows, question: str) -> None:
    assert isinstance(load_rows({**ROW, "question": question})[0], Problem)


def test_a_link_may_not_leave_the_root(load_rows: LoadRows, tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    (root / "in.png").write_bytes(png(0))
    os.symlink("in.png", root / "inside.png")
    os.symlink("../a.png", root / "outside.png")
    os.symlink("loop.png", root / "loop.png")
    names = ["inside.png", "outside.png", "loop.png", str(root / "in.png"), "x/../in.png"]
    results = load_rows(*({**ROW, "image": name, "answer": name} for name in names), images=str(root))
    reasons = [result.reason if isinstance(result, Rejected) else None for result in results]
    assert reasons == [None, "image_outside_root", "missing_image", None, None]


def test_a_named_pipe_is_no_image(load_rows: LoadRows, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert load_rows({**ROW, "image": "pipe.png"})[0].reason == "missing_image"


def test_lines_that_are_no_rows(load_rows: LoadRows) -> None:
    lines = [
        b'{"question": ',
        b'{"question": "\xff"}',
        b"[1, 2]",
        b"   ",
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        json.dumps(ROW).encode() + b"\r",
    ]
    *rejected, problem = load_rows(*lines)
    assert isinstance(problem, Problem)
    assert problem.row_id == "row 7"
    assert [(row.row_id, row.reason) for row in rejected] == [
        ("row 1", "invalid_json"),
        ("row 2", "not_utf8"),
        ("row 3", "wrong_type"),
        ("row 5", "invalid_json"),
        ("row 6", "invalid_json"),
    ]
    assert "line 1" in rejected[0].detail
    assert "line 2" in rejected[1].detail


def test_a_byte_order_mark(load_rows: LoadRows) -> None:
    assert isinstance(load_rows(b"\xef\xbb\xbf" + json.dumps(ROW).encode())[0], Problem)


def test_the_gold_answer_must_pass_its_own_verifier(load_rows: LoadRows) -> None:
    def verify_gold(problem: Problem) -> str | None:
        return None if problem.answer == "3" else f"{problem.answer!r} is no number"

    rejected, problem = load_rows({**ROW, "answer": "much", "id": "x"}, ROW, verify_gold=verify_gold)
    assert rejected == Rejected("s", "x", "gold_rejected", "'much' is no number")
    assert problem.answer == "3"


def test_duplicates_within_a_source(load_rows: LoadRows) -> None:
    first, same, other = load_rows({**ROW, "id": 1}, {**ROW, "id": 2, "answer": "3 "}, {**ROW, "answer": "4"})
    assert isinstance(first, Problem)
    assert isinstance(other, Problem)
    assert (same.row_id, same.reason) == ("2", "duplicate")


def test_duplicates_across_sources(load_rows: LoadRows) -> None:
    seen: set[str] = set()
    load_rows(ROW, seen=seen)
    again, new = load_rows(ROW, {**ROW, "image": "b.png"}, seen=seen)
    assert again.reason == "duplicate"
    assert isinstance(new, Problem)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=5,
)
FIELDS = ("id", "question", "answer", "image", "options", "verify", "other")


# A busy machine takes its time for the first texts.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUE)))
def test_no_row_raises_anything_but_its_reason(row: dict[str, Any]) -> None:
    source = SourceConfig(name="s", path="rows.jsonl", verify=("list",))
    with suppress(RowError):
        found = parse_row({"question": "Q?", "answer": "3", "image": png(), **row}, "row 1", source, None, "")
        assert found.row_id == "row 1"
        assert found.question.strip()
        assert found.answer.strip()


def test_what_json_cannot_hold_is_not_kept(load_rows: LoadRows) -> None:
    lone, nan = b'"a": "\\ud800"', b'"b": NaN'
    (problem,) = load_rows(json.dumps(ROW).encode()[:-1] + b", " + lone + b", " + nan + b', "c": 1}')
    assert problem.extra == '{"c": 1}'


def test_summary(load_rows: LoadRows) -> None:
    results = load_rows(ROW, ROW, {**ROW, "answer": "K"}, {**ROW, "answer": ""})
    (summary,) = summarise([*results])
    assert (summary.source, summary.rows) == ("s", 4)
    assert summary.rejected == {"duplicate": 1, "empty_answer": 1}
    assert summary.answers == {"integer": 1, "letter": 1}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("B", "letter"),
        ("BD", "letters"),
        ("-8,535", "integer"),
        (".5", "decimal"),
        ("1,000.25", "decimal"),
        ("3/10", "fraction"),
        ("[a, b]", "list"),
        (r"\frac{1}{2}", "latex"),
        ("12 cm", "text"),
        ("1,2", "text"),
    ],
)
def test_answer_kinds(answer: str, kind: str) -> None:
    assert answer_kind(answer) == kind
