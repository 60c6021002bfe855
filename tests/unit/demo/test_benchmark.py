"""The demo benchmark: the same for ever, split without overlap, and without lucky mistakes."""

import io
from itertools import islice

import pytest
from PIL import Image

from demo.benchmark import FAMILIES, LEAST_PASS_RATE, SPLITS, DemoProblem, is_sound, problem, problems, stream
from demo.reasoning import MISMULTIPLIED, MISREAD, Op, Plan, Read, paths, show
from pipeline.records import asked


def test_the_same_arguments_give_the_same_rows() -> None:
    first = list(problems("test", 16, seed=3))
    problem.cache_clear()
    assert list(problems("test", 16, seed=3)) == first
    assert list(problems("test", 16, seed=4)) != first


def test_a_row_has_what_a_source_must_give() -> None:
    rows = list(problems("dataset", 24))
    assert len({row["id"] for row in rows}) == 24
    assert {row["source"] for row in rows} == {f"demo/{family}" for family in FAMILIES}
    for row in rows:
        assert Image.open(io.BytesIO(row["image"])).size == (144, 144)
        assert row["question"]
        assert row["answer"]
        assert asked(row["question"], row.get("options", ())) == row["question"]
        assert ("options" in row) == (row["verify"] == ["choice"])


def test_every_kind_of_answer_occurs() -> None:
    assert {row["verify"][0] for row in problems("test", 8)} == {"exact", "choice", "number", "math"}


def test_no_question_about_the_same_picture_stands_in_two_splits() -> None:
    contents = {
        split: {(p.family, p.question, tuple(sorted((k, show(v)) for k, v in p.plan.picture.items())))
                for p in islice(stream(split, seed=5), 160)}
        for split in SPLITS
    }  # fmt: skip
    names = list(contents)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            assert not contents[first] & contents[second]


def test_by_picture_nothing_that_one_split_shows_is_shown_in_another() -> None:
    shown = {
        split: {(p.family, *p.shown) for p in islice(stream(split, seed=5, split_by="picture"), 160)}
        for split in SPLITS
    }
    assert all(len(contents) > 100 for contents in shown.values())
    assert not shown["train"] & shown["dataset"]
    assert not shown["train"] & shown["test"]
    assert not shown["dataset"] & shown["test"]


def test_by_question_rings_are_shown_in_every_split() -> None:
    rings = [
        {tuple(p.shown) for p in islice(stream(split), 400) if p.family == "ring"} for split in ("dataset", "test")
    ]
    assert rings[0] & rings[1]


def test_another_way_to_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split_by must be one of question, picture, not 'answer'"):
        next(problems("test", 1, split_by="answer"))  # type: ignore[arg-type]


def test_no_mistake_leads_to_the_right_answer() -> None:
    for found in islice(stream("test", seed=6), 160):
        assert found.paths[0].probability >= LEAST_PASS_RATE
        assert all(found.plan.answer(path.beliefs) != found.written_answer for path in found.paths[1:])
        assert sum(path.probability for path in found.paths) == pytest.approx(1)


def test_a_problem_whose_mistakes_cancel_is_refused() -> None:
    nodes = (Read("a", 8, (3, 0.1)), Read("b", 1, (6, 0.1)), Op("sum", "a", "+", "b"))
    plan = Plan(nodes, lambda beliefs: show(beliefs["sum"]), {"a": 8, "b": 1})
    assert not is_sound(DemoProblem("bars-0", "?", plan, ("number",), lambda canvas: None), tuple(paths(plan)))


def test_a_problem_that_is_hardly_ever_solved_is_refused() -> None:
    plan = Plan((Read("a", 8, (3, 0.9)),), lambda beliefs: show(beliefs["a"]), {"a": 8})
    assert not is_sound(DemoProblem("bars-0", "?", plan, ("number",), lambda canvas: None), tuple(paths(plan)))


def test_misreadings_go_one_way() -> None:
    assert not {wrong for wrong, _ in MISREAD.values()} & set(MISREAD)
    assert all(wrong != a * b for (a, b), (wrong, _) in MISMULTIPLIED.items())


def test_wrong_options_are_what_mistakes_lead_to() -> None:
    for found in islice((p for p in stream("test", seed=2) if p.family == "compare"), 20):
        reached = {found.plan.answer(path.beliefs) for path in found.paths}
        assert len(set(found.options)) == 5
        assert found.answer in "ABCD"
        assert len(reached) >= min(4, len(found.paths))


@pytest.mark.parametrize("wrong", ["bars", "bars-x", "pies-1", "bars--1", ""])
def test_an_unknown_id_is_an_error(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a problem"):
        problem(wrong)


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(ValueError, match="split must be"):
        next(problems("validation"))
