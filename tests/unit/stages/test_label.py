from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.records import VERDICT_STATUSES, Draw, Solution, Step, StepOrigin, Verdict, VerdictStatus
from stages.label import (
    Drawn,
    Measured,
    Missing,
    check_rule,
    count_own,
    label_columns,
    label_solution,
    label_steps,
    labelled_steps,
    published_label,
    score,
    stated_threshold,
    step_label,
)
from stages.label_rules import LABELS, ORIGINS, label_of

PAPER = LabelConfig()
DROP = LabelConfig(missing="drop")
statuses = st.lists(st.sampled_from(VERDICT_STATUSES), max_size=20)


def step(*drawn: VerdictStatus, origin: StepOrigin = "measured") -> Step:
    draws = tuple(Draw((), "", "stop", seed, Verdict(status)) for seed, status in enumerate(drawn))
    return Step("text", 0, 1, True, draws=draws, origin=origin)


def solution(status: VerdictStatus, *steps: Step) -> Solution:
    return Solution("p/k/s0", "text", (1,), "stop", 0, Verdict(status), steps)


def count(drawn: Iterable[VerdictStatus], missing: Missing = "miss") -> tuple[int, int]:
    return Drawn.of(drawn).counted(missing)


def counts(item: Step) -> tuple[int | None, int | None, float | None]:
    return item.num_mc_correct, item.num_mc_total, item.score


def test_every_draw_counts_and_only_correct_is_a_success() -> None:
    assert count(VERDICT_STATUSES) == (1, 6)


def test_drop_counts_finished_draws_only() -> None:
    assert count(VERDICT_STATUSES, "drop") == (1, 2)


@given(statuses, st.sampled_from(["miss", "drop"]), st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_the_order_of_draws(
    drawn: list[VerdictStatus], missing: Missing, random: Random
) -> None:
    shuffled = random.sample(drawn, len(drawn))
    assert count(shuffled, missing) == count(drawn, missing)


@given(statuses)
def test_dropping_changes_n_but_never_k(drawn: list[VerdictStatus]) -> None:
    (k, n), (k_drop, n_drop) = count(drawn), count(drawn, "drop")
    assert k == k_drop
    assert k <= n_drop <= n == len(drawn)


@pytest.mark.parametrize(
    ("status", "miss", "drop"),
    [
        ("correct", (1, 1), (1, 1)),
        ("incorrect", (0, 1), (0, 1)),
        ("no_answer", (0, 1), (0, 1)),
        ("truncated", (0, 1), (0, 1)),
        ("timeout", (0, 1), (0, 0)),
        ("error", (0, 1), (0, 0)),
    ],
)
def test_a_last_step_has_the_solutions_own_verdict(
    status: VerdictStatus, miss: tuple[int, int], drop: tuple[int, int]
) -> None:
    assert count_own(status) == miss
    assert count_own(status, "drop") == drop


def test_score_is_the_share_and_nothing_measured_is_null_not_zero() -> None:
    assert score(4, 16) == 0.25
    assert score(0, 16) == 0.0
    assert score(0, 0) is None


@pytest.mark.parametrize(
    ("value", "threshold", "expected"),
    [
        (0.0, 0.0, "-"),
        (1 / 16, 0.0, "+"),
        (1 / 16, 1 / 16, "-"),
        (2 / 16, 1 / 16, "+"),
        (1.0, 0.5, "+"),
        (None, 0.0, None),
        (None, 0.5, None),
    ],
)
def test_a_step_is_right_strictly_above_the_threshold(
    value: float | None, threshold: float, expected: str | None
) -> None:
    assert label_of(value, "measured", threshold) == expected


def test_label_solution_fills_in_each_step_by_its_origin() -> None:
    labelled = label_solution(
        solution(
            "correct",
            step("correct", "incorrect", "truncated", "timeout"),
            step(origin="not_sampled"),
            step(origin="implied"),
            step(origin="own_answer"),
        ),
        PAPER,
    )
    assert [counts(item) for item in labelled.steps] == [
        (1, 4, 0.25),
        (None, None, None),
        (None, None, None),
        (1, 1, 1.0),
    ]


def test_draws_decide_where_there_are_any() -> None:
    first, last = label_solution(
        solution("correct", step("correct", origin="implied"), step("incorrect", origin="own_answer")), PAPER
    ).steps
    assert (first.origin, counts(first)) == ("measured", (1, 1, 1.0))
    assert (last.origin, counts(last)) == ("measured", (0, 1, 0.0))


def test_a_step_whose_draws_are_all_dropped_is_not_measured() -> None:
    (item,) = label_solution(solution("correct", step("timeout", "truncated")), DROP).steps
    assert counts(item) == (None, None, None)


def test_labelling_twice_changes_nothing_and_keeps_text_and_draws() -> None:
    original = solution("incorrect", step("correct", "no_answer"), step(origin="own_answer"))
    once = label_solution(original, PAPER)
    assert label_solution(once, PAPER) == once
    assert [(item.text, item.draws) for item in once.steps] == [(item.text, item.draws) for item in original.steps]


def test_an_implied_step_is_right_at_threshold_zero_and_unknown_above() -> None:
    assert step_label(step(origin="implied"), PAPER) == "+"
    assert step_label(step(origin="implied"), LabelConfig(threshold=0.25)) is None
    assert step_label(step(origin="not_sampled"), PAPER) is None


def test_a_label_without_a_score_says_whether_mc_is_above_0_and_no_more() -> None:
    assert [label_of(None, "measured", threshold, "-") for threshold in (0.0, 0.1)] == ["-", None]
    assert label_of(0.25, "measured", 0.5, "+") == "-"
    assert label_of(None, "implied", 0.0) == "+"


@given(st.none() | st.floats(0, 1), st.sampled_from(["measured", "implied", "not_sampled"]), st.floats(0, 0.99))
def test_a_dataset_relabelled_by_its_own_threshold_is_as_published(
    mc: float | None, origin: str, threshold: float
) -> None:
    published = {"score": mc, "origin": origin, "label": label_of(mc, origin, threshold)}
    assert published_label(published, threshold) == published_label(published, None) == published["label"]


def test_the_stated_threshold_is_null_where_a_dataset_states_none() -> None:
    assert stated_threshold({"label": {"threshold": 0.5, "missing": "miss"}}) == 0.5
    assert stated_threshold({"label": {"kind": "interval", "threshold": 0.5}}) is None
    assert stated_threshold({"label": {"kind": "band", "low": 0.1}}) is None
    assert stated_threshold({"label": None}) is None
    assert stated_threshold({}) is None


def test_a_step_is_implied_only_while_there_is_a_success_further_on() -> None:
    def found(status: VerdictStatus, drawn: VerdictStatus) -> list[tuple[StepOrigin, str | None]]:
        implied = step(origin="implied")
        steps = (implied, step(drawn, "incorrect"), implied, step(origin="own_answer"))
        return [(item.origin, label) for item, label in labelled_steps(solution(status, *steps), PAPER)]

    speaks, silent = ("implied", "+"), ("not_sampled", None)
    last_wrong, last_right = ("own_answer", "-"), ("own_answer", "+")
    assert found("correct", "incorrect") == [speaks, ("measured", "-"), speaks, last_right]
    assert found("incorrect", "correct") == [speaks, ("measured", "+"), silent, last_wrong]
    assert found("incorrect", "incorrect") == [silent, ("measured", "-"), silent, last_wrong]


def test_context_has_no_label_whatever_a_judge_says_of_it() -> None:
    found = judged_columns(LabelConfig(kind="judge"), "incorrect", LABELS.index("+"), LABELS.index("-"))
    assert found == [-1, LABELS.index("-")]


@pytest.mark.parametrize("of_context", [-1, LABELS.index("-")])
def test_context_needs_no_verdict_for_a_consensus(of_context: int) -> None:
    config, right = LabelConfig(kind="consensus", agreement="first_error"), LABELS.index("+")
    assert judged_columns(config, "correct", of_context, right) == [-1, right]
    assert judged_columns(config, "correct", of_context, -1) == [-1, -1]


def judged_columns(config: LabelConfig, verdict: VerdictStatus, *judged: int) -> list[int]:
    """The labels of a step of context and of a last one with the solution's own verdict, of which a judge says this."""
    origins = np.array([ORIGINS.index("context"), ORIGINS.index("own_answer")])
    counts = np.zeros((2, len(VERDICT_STATUSES)), np.int64)
    verdicts = np.array([VERDICT_STATUSES.index(verdict)])
    found: list[int] = label_columns(verdicts, np.array([2]), origins, counts, config, np.array(judged)).label.tolist()
    return found


def test_labelled_steps_pair_counts_with_labels() -> None:
    pairs = labelled_steps(
        solution("incorrect", step("correct", "incorrect"), step("incorrect"), step(origin="own_answer")),
        LabelConfig(threshold=0.25),
    )
    assert [(item.score, label) for item, label in pairs] == [(0.5, "+"), (0.0, "-"), (0.0, "-")]


def test_a_threshold_above_zero_needs_a_strategy_that_does_not_stop_at_success() -> None:
    check_rule("first_success", True, PAPER)
    check_rule("fixed", False, LabelConfig(threshold=0.5))
    with pytest.raises(UserError, match=r"label\.threshold=0\.5 with rollout\.strategy=first_success"):
        check_rule("first_success", True, LabelConfig(threshold=0.5))


@pytest.mark.parametrize("config", [LabelConfig(kind="band"), LabelConfig(kind="interval", threshold=0.5)])
def test_kinds_that_ask_how_far_need_such_a_strategy_too(config: LabelConfig) -> None:
    check_rule("fixed", False, config)
    with pytest.raises(UserError, match=f"label.kind={config.kind} with rollout.strategy=right_to_left.*label.kind=mc"):
        check_rule("right_to_left", True, config)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(VERDICT_STATUSES),
            st.lists(st.tuples(st.sampled_from(ORIGINS), st.lists(st.sampled_from(VERDICT_STATUSES), max_size=4))),
        ),
        max_size=5,
    ),
    st.sampled_from(
        [{}, {"threshold": 0.5}, {"kind": "band"}, {"kind": "interval", "threshold": 0.5}, {"kind": "judge"}]
    ),
    st.sampled_from(["miss", "drop"]),
)
def test_many_solutions_at_once_get_what_each_gets_alone(
    given_: list[tuple[VerdictStatus, list[tuple[StepOrigin, list[VerdictStatus]]]]], rule: dict, missing: Missing
) -> None:
    config = LabelConfig(**rule, missing=missing)
    alone = [
        measured
        for verdict, steps in given_
        for measured in label_steps(
            verdict, [origin for origin, _ in steps], [Drawn.of(drawn) for _, drawn in steps], config
        )
    ]
    every = [step for _, steps in given_ for step in steps]
    found = label_columns(
        np.array([VERDICT_STATUSES.index(verdict) for verdict, _ in given_], np.int64),
        np.array([len(steps) for _, steps in given_], np.int64),
        np.array([ORIGINS.index(origin) for origin, _ in every], np.int64),
        np.array([[drawn.count(status) for status in VERDICT_STATUSES] for _, drawn in every], np.int64).reshape(-1, 6),
        config,
    )
    assert [
        Measured(
            int(k) if n else None,
            int(n) if n else None,
            float(mc) if n else None,
            ORIGINS[origin],
            LABELS[label] if label >= 0 else None,
        )
        for k, n, mc, origin, label in zip(
            found.correct, found.total, found.score, found.origin, found.label, strict=True
        )
    ] == alone
