"""The oracle: what it says of right, wrong, corrected, skipped and unreadable steps."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.benchmark import FAMILIES, problem
from demo.oracle import judge_steps
from demo.reasoning import STEP_SEPARATOR, Op, Read, compute, line, paths, sample_solution, show, write

IDS = [f"{family}-{seed}" for family in FAMILIES for seed in range(6)]


def right_steps(problem_id: str) -> list[str]:
    found = problem(problem_id)
    return write(found.plan, found.paths[0].beliefs).split(STEP_SEPARATOR)


@pytest.mark.parametrize("problem_id", IDS)
def test_the_ideal_solution_is_right_throughout(problem_id: str) -> None:
    steps = right_steps(problem_id)
    judged = judge_steps(problem_id, steps)
    assert all(truth.prefix_ok and truth.step_ok for truth in judged)
    assert judged[-1].kind == "final"
    assert 3 <= len(steps) <= 8


@pytest.mark.parametrize("problem_id", IDS)
def test_steps_that_follow_from_a_mistake_are_right_in_themselves_only(problem_id: str) -> None:
    found = problem(problem_id)
    for path in found.paths[1:]:
        steps = write(found.plan, path.beliefs).split(STEP_SEPARATOR)
        judged = judge_steps(problem_id, steps)
        keys = [node.key for node in found.plan.nodes]
        first = keys.index(path.mistakes[0])
        assert [truth.prefix_ok for truth in judged] == [k < first for k in range(len(steps))]
        wrong = {k for k, truth in enumerate(judged) if not truth.step_ok}
        assert wrong == {keys.index(key) for key in path.mistakes}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_misreading_corrected_in_the_next_step_stops_counting(family: str) -> None:
    found = problem(f"{family}-1")
    node = next(node for node in found.plan.nodes if isinstance(node, Read))
    wrong = "Z" if isinstance(node.value, str) else show(node.value + 1)
    steps = right_steps(found.id)
    k = steps.index(line(node, found.paths[0].beliefs))
    judged = judge_steps(found.id, [*steps[:k], f"{node.key} = {wrong}.", *steps[k:]])
    assert (judged[k].prefix_ok, judged[k].step_ok, judged[k].kind) == (False, False, "reading")
    assert all(truth.prefix_ok and truth.step_ok for truth in judged[k + 1 :])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_result_corrected_in_the_next_step_stops_counting(family: str) -> None:
    found = problem(f"{family}-2")
    truth = found.paths[0].beliefs
    node = next(node for node in found.plan.nodes if isinstance(node, Op))
    steps = right_steps(found.id)
    k = next(i for i, node_ in enumerate(found.plan.nodes) if node_ is node)
    assert steps[k] == line(node, truth)
    head = steps[k].rsplit(" = ", 1)[0]
    judged = judge_steps(found.id, [*steps[:k], f"{head} = 997.", *steps[k:]])
    assert (judged[k].prefix_ok, judged[k].step_ok, judged[k].kind) == (False, False, "arithmetic")
    assert all(truth.prefix_ok and truth.step_ok for truth in judged[k + 1 :])


def test_correcting_a_reading_does_not_correct_what_was_computed_from_it() -> None:
    found = next(problem(f"table-{k}") for k in range(50))
    a, b = (node for node in found.plan.nodes if isinstance(node, Read))
    x, y = int(show(a.value)), int(show(b.value))
    steps = [f"{a.key} = {x + 1}.", f"{b.key} = {y}.", f"{x + 1} + {y} = {x + y + 1}.",
             f"{a.key} = {x}.", f"{x} + {y} = {x + y}."]  # fmt: skip
    assert [t.prefix_ok for t in judge_steps(found.id, steps)] == [False, False, False, False, True]
    assert [t.step_ok for t in judge_steps(found.id, steps)] == [False, True, True, True, True]


def test_a_wrong_value_that_nothing_depends_on_does_not_count() -> None:
    found = problem("bars-3")
    needed = {node.key for node in found.plan.nodes}
    idle = next(key for key in found.plan.picture if key not in needed)
    steps = right_steps(found.id)
    judged = judge_steps(found.id, [f"{idle} = 99.", *steps])
    assert (judged[0].prefix_ok, judged[0].step_ok) == (True, False)
    assert all(truth.prefix_ok and truth.step_ok for truth in judged[1:])


def test_an_operand_that_is_not_the_value_held_is_wrong() -> None:
    found = problem("ring-4")
    steps = right_steps(found.id)
    judged = judge_steps(found.id, [*steps[:2], "11 × 11 = 121.", *steps[3:]])
    assert (judged[2].prefix_ok, judged[2].step_ok, judged[2].kind) == (False, False, "arithmetic")


@pytest.mark.parametrize("family", FAMILIES)
def test_lines_merged_into_one_step_are_judged_together(family: str) -> None:
    steps = right_steps(f"{family}-5")
    merged = [STEP_SEPARATOR.join(steps[:2]) + STEP_SEPARATOR, STEP_SEPARATOR.join(steps[2:])]
    assert all(truth.prefix_ok and truth.step_ok for truth in judge_steps(f"{family}-5", merged))


@pytest.mark.parametrize("text", ["", "I think so.", "nobody = 4.", "3 ? 4 = 5.", "中文"])
def test_other_text_is_off_the_language_until_the_next_step_in_it(text: str) -> None:
    steps = right_steps("bars-8")
    judged = judge_steps("bars-8", [steps[0], text, *steps[1:]])
    assert (judged[1].prefix_ok, judged[1].step_ok, judged[1].kind) == (False, False, "off_language")
    assert (judged[2].prefix_ok, judged[2].step_ok) == (True, True)


@pytest.mark.parametrize("problem_id", IDS)
def test_the_right_answer_alone_is_right_and_another_is_not(problem_id: str) -> None:
    answer = problem(problem_id).written_answer
    assert judge_steps(problem_id, [f"Final answer: {answer}"])[0].prefix_ok
    assert not judge_steps(problem_id, ["Final answer: 99999"])[0].prefix_ok


@given(st.sampled_from(IDS), st.integers(0, 10_000))
def test_a_solution_ends_right_exactly_if_its_answer_is(problem_id: str, seed: int) -> None:
    found = problem(problem_id)
    text = sample_solution(found.plan, random.Random(seed))
    judged = judge_steps(problem_id, text.split(STEP_SEPARATOR))
    assert judged[-1].prefix_ok == text.endswith(f"Final answer: {found.written_answer}")
    assert judged[-1].step_ok
    # what has gone wrong stays wrong: the ideal policy repairs nothing
    flags = [truth.prefix_ok for truth in judged]
    assert flags == sorted(flags, reverse=True)


@given(st.sampled_from(IDS), st.text(max_size=60), st.integers(0, 4))
def test_whatever_is_said_later_changes_no_earlier_judgement(problem_id: str, text: str, count: int) -> None:
    steps = [text, f"{text} = 3.", f"3 × 4 = {text}", f"Final answer: {text}"]
    judged = judge_steps(problem_id, steps)
    assert len(judged) == len(steps)
    assert judge_steps(problem_id, steps[:count]) == judged[:count]


def test_true_results_are_those_of_the_plan() -> None:
    for problem_id in IDS:
        plan = problem(problem_id).plan
        beliefs = next(paths(plan)).beliefs
        for node in plan.nodes:
            if isinstance(node, Op):
                assert compute(node.symbol, *node.operands(beliefs)) == beliefs[node.key]
