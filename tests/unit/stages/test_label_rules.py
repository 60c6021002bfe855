"""The rules of each kind of label: one step and many agree, and doubt only takes labels away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from pipeline.config import LabelConfig
from pipeline.records import StepOrigin
from stages.label_rules import (
    LABELS,
    NEUTRAL,
    ORIGINS,
    counted_label,
    counted_labels,
    judged_labels,
)

COUNTED = st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.sampled_from(ORIGINS)))
SHARE = st.floats(0.01, 0.99)
CONFIGS = st.one_of(
    st.builds(LabelConfig, threshold=st.sampled_from([0.0, 0.5])),
    st.tuples(SHARE, SHARE)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: LabelConfig(kind="band", low=min(pair), high=max(pair))),
    st.builds(LabelConfig, kind=st.just("interval"), threshold=SHARE, confidence=SHARE),
)


@given(st.lists(COUNTED, max_size=20), CONFIGS)
def test_many_steps_at_once_get_what_each_gets_alone(
    steps: list[tuple[int, int, StepOrigin]], config: LabelConfig
) -> None:
    correct, total = (np.array([step[place] for step in steps], np.int64) for place in (0, 1))
    origin = np.array([ORIGINS.index(step[2]) for step in steps], np.int64)
    found = [LABELS[label] if label >= 0 else None for label in counted_labels(correct, total, origin, config)]
    assert found == [counted_label(*step, config) for step in steps]


@example(
    (1, 1, "measured"), LabelConfig(kind="interval", threshold=0.97, confidence=0.5)
)  # Beta's lies below 0.97, mc above
@given(COUNTED, CONFIGS)
def test_a_kind_gives_no_label_where_mc_has_none_and_keeps_that_of_an_answer(
    step: tuple[int, int, StepOrigin], config: LabelConfig
) -> None:
    correct, total, origin = step
    assume(config.kind != "mc")
    mc = counted_label(correct, total, origin, LabelConfig(threshold=config.threshold))
    found = counted_label(correct, total, origin, config)
    assert mc is not None or found is None
    if origin == "own_answer":
        assert found == mc
    if config.kind == "interval":
        # The band's ends may lie to one side of the threshold.
        assert found in (mc, None)


@pytest.mark.parametrize(("correct", "expected"), [(0, "-"), (2, "-"), (3, None), (11, None), (12, "+"), (16, "+")])
def test_a_band_leaves_out_what_lies_between_its_ends(correct: int, expected: str | None) -> None:
    assert counted_label(correct, 16, "measured", LabelConfig(kind="band")) == expected


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), SHARE, SHARE)
def test_an_interval_is_jeffreys_as_scipy_has_it(counts: tuple[int, int], threshold: float, confidence: float) -> None:
    correct, total = counts
    low, high = stats.beta(correct + 0.5, total - correct + 0.5).interval(confidence)
    assume(min(abs(low - threshold), abs(high - threshold)) > 1e-6)
    # Where mc lies outside its interval, on the other side of the threshold, there is no label.
    share = correct / total
    expected = "+" if low > threshold and share > threshold else "-" if high < threshold >= share else None
    config = LabelConfig(kind="interval", threshold=threshold, confidence=confidence)
    assert counted_label(correct, total, "measured", config) == expected


def test_more_draws_of_the_same_share_make_surer() -> None:
    config = LabelConfig(kind="interval", threshold=0.5)
    assert [counted_label(3 * n, 4 * n, "measured", config) for n in (1, 2, 4, 8)] == [None, None, "+", "+"]


CODES: dict[str, int] = {"+": LABELS.index("+"), "-": LABELS.index("-"), "n": NEUTRAL, " ": -1}
SOLUTION = st.integers(0, 5).flatmap(
    lambda n: st.tuples(st.text("+- ", min_size=n, max_size=n), st.text("+-n ", min_size=n, max_size=n))
)
KINDS = [
    LabelConfig(kind="judge"),
    LabelConfig(kind="consensus"),
    LabelConfig(kind="consensus", agreement="first_error"),
]


def by_judge(solutions: list[tuple[str, str]], config: LabelConfig) -> str:
    """A letter a step, of `mc` and of the judge (`n` is neutral, a blank says nothing) → of their labels."""
    mc, judged = (
        np.array([CODES[letter] for pair in solutions for letter in pair[which]], np.int64) for which in (0, 1)
    )
    found = judged_labels(mc, judged, np.array([len(one) for one, _ in solutions], np.int64), config)
    return "".join(LABELS[code] if code >= 0 else " " for code in found)


def judged_alone(mc: str, judged: str, config: LabelConfig) -> str:
    """From the definition of each kind, for one solution."""
    if config.kind == "judge":
        return judged.replace("n", " ")
    if config.agreement == "step":
        return "".join(one if one == other else " " for one, other in zip(mc, judged, strict=True))
    upto = mc.index("-") + 1 if "-" in mc else len(mc)
    if mc.find("-") != judged.find("-") or " " in judged[:upto]:
        return " " * len(mc)
    return mc[:upto].ljust(len(mc))


@pytest.mark.parametrize("config", KINDS, ids=str)
@given(solutions=st.lists(SOLUTION, max_size=5))
def test_many_judged_solutions_at_once_get_what_each_gets_alone(
    config: LabelConfig, solutions: list[tuple[str, str]]
) -> None:
    assert by_judge(solutions, config) == "".join(judged_alone(*pair, config) for pair in solutions)


@pytest.mark.parametrize(
    ("mc", "judged", "step", "first_error"),
    [
        ("++-", "++-", "++-", "++-"),
        ("++-", "+--", "+ -", "   "),
        ("+--", "+-+", "+- ", "+- "),
        ("+++", "+++", "+++", "+++"),
        ("+++", "+n+", "+ +", "+++"),
        ("++-", "nn-", "  -", "++-"),
        ("+-+", "+- ", "+- ", "+- "),
        ("+ -", "++-", "+ -", "+ -"),
        # Where nobody judged, nobody agrees.
        ("+++", "   ", "   ", "   "),
        ("+++", "++ ", "++ ", "   "),
        ("++-", "  -", "  -", "   "),
    ],
)
def test_consensus_by_step_and_by_the_first_error(mc: str, judged: str, step: str, first_error: str) -> None:
    for agreement, expected in (("step", step), ("first_error", first_error)):
        config = LabelConfig(kind="consensus", agreement=agreement)  # type: ignore[arg-type]
        assert by_judge([(mc, judged)], config) == expected
    assert by_judge([(mc, judged)], LabelConfig(kind="judge")) == judged.replace("n", " ")
