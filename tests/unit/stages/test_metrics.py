"""The numbers against their definitions, and against scikit-learn and scipy where those are installed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages import metrics
from stages.metrics import Steps

# Few distinct scores, so that ties and hits on the threshold are common.
SCORE = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]) | st.floats(0, 1)


@st.composite
def columns(draw: st.DrawFn, samples: int = 6) -> Steps:
    rows = draw(st.lists(st.tuples(st.integers(0, samples - 1), st.booleans(), SCORE), min_size=1, max_size=40))
    rows.sort(key=lambda row: row[0])
    counts: dict[int, int] = {}
    position = [counts.setdefault(sample, 0) for sample, _, _ in rows]
    for index, (sample, _, _) in enumerate(rows):
        position[index] = counts[sample]
        counts[sample] += 1
    of, right, score = (np.array(column) for column in zip(*rows, strict=True))
    return Steps(of, np.array(position), right.astype(bool), score.astype(float))


def naive_f1(truth: list[bool], found: list[bool]) -> float:
    """By precision and recall, for the class True; NaN if nobody speaks of it."""
    both = sum(t and f for t, f in zip(truth, found, strict=True))
    if not any(truth) and not any(found):
        return math.nan
    if both == 0:
        return 0.0
    precision, recall = both / sum(found), both / sum(truth)
    return 2 * precision * recall / (precision + recall)


def naive_auc(right: list[bool], score: list[float]) -> float:
    """Over all pairs of a right and a wrong step."""
    pairs = [(a, b) for a, is_a in zip(score, right, strict=True) if is_a
             for b, is_b in zip(score, right, strict=True) if not is_b]  # fmt: skip
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs) if pairs else math.nan


@given(steps=columns(), threshold=SCORE)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(steps: Steps, threshold: float) -> None:
    counts = metrics.cells(steps, threshold, 6).sum(0)
    truth, found = steps.right.tolist(), (steps.score > threshold).tolist()
    right, wrong = naive_f1(truth, found), naive_f1([not t for t in truth], [not f for f in found])
    assert metrics.f1_right(counts) == pytest.approx(right, nan_ok=True)
    assert metrics.f1_wrong(counts) == pytest.approx(wrong, nan_ok=True)
    assert metrics.macro_f1(counts) == pytest.approx((right + wrong) / 2, nan_ok=True)


@given(steps=columns())
def test_auc_is_the_share_of_pairs_in_the_right_order(steps: Steps) -> None:
    expected = naive_auc(steps.right.tolist(), steps.score.tolist())
    assert metrics.auc(steps.right, steps.score) == pytest.approx(expected, nan_ok=True)


@given(steps=columns(), data=st.data())
def test_weights_mean_repetition(steps: Steps, data: st.DataObject) -> None:
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=6, max_size=6)))
    often = weights[steps.sample]
    repeated = metrics.auc(np.repeat(steps.right, often), np.repeat(steps.score, often))
    assert metrics.auc(steps.right, steps.score, often) == pytest.approx(float(repeated), nan_ok=True)
    counts = metrics.cells(steps, 0.5, 6)
    by_hand = sum((counts[i] * weights[i] for i in range(6)), np.zeros(4))
    assert np.array_equal(weights @ counts, by_hand)


@given(steps=columns())
def test_every_cut_has_the_cells_of_its_threshold_and_none_is_missing(steps: Steps) -> None:
    thresholds, counts = metrics.cuts(steps)
    for threshold, cells in zip(thresholds, counts, strict=True):
        assert np.array_equal(cells, metrics.cells(steps, float(threshold), 6).sum(0))
    assert len(thresholds) == len(np.unique(steps.score)) + 1
    assert np.all(np.diff(thresholds) > 0)
    best = metrics.best_cut(steps)
    values = metrics.macro_f1(counts)
    if np.isnan(values).all():
        assert best is None
    else:
        assert best is not None
        assert metrics.macro_f1(metrics.cells(steps, best, 6).sum(0)) == np.nanmax(values)


@given(steps=columns(), threshold=SCORE)
def test_first_errors(steps: Steps, threshold: float) -> None:
    truth, found = metrics.first_errors(steps, threshold, 6)
    for sample in range(6):
        rows = [row for row in zip(steps.sample, steps.position, steps.right, steps.score, strict=True)
                if row[0] == sample]  # fmt: skip
        assert truth[sample] == min((p for _, p, right, _ in rows if not right), default=-1)
        assert found[sample] == min((p for _, p, _, score in rows if score <= threshold), default=-1)


@given(steps=columns(), bins=st.integers(1, 15))
def test_reliability_covers_every_step_once(steps: Steps, bins: int) -> None:
    found, error = metrics.reliability(steps, bins)
    assert sum(one.steps for one in found) == len(steps.score)
    assert sum(one.steps * one.mean_score for one in found) == pytest.approx(steps.score.sum())
    assert sum(one.steps * one.share_right for one in found) == pytest.approx(steps.right.sum())
    assert error is not None
    assert abs(steps.right.mean() - steps.score.mean()) - 1e-9 <= error <= 1


def test_no_calibration_for_scores_that_are_no_probabilities() -> None:
    steps = Steps(np.array([0]), np.array([0]), np.array([True]), np.array([-0.5]))
    assert metrics.reliability(steps) == ([], None)


def test_a_perfectly_calibrated_critic_has_no_error_and_a_sure_wrong_one_has_the_most() -> None:
    score = np.repeat([0.25, 0.75], 4)
    right = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    place = np.arange(8)
    assert metrics.reliability(Steps(place, place, right, score))[1] == pytest.approx(0)
    assert metrics.reliability(Steps(place, place, right, 1.0 - right))[1] == 1


@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_harmonic_mean_lies_between_and_is_0_with_either_at_0(shares: tuple[float, float]) -> None:
    value = float(metrics.harmonic(shares))
    assert min(shares) - 1e-9 <= value <= max(shares) + 1e-9
    assert (value == 0) == (min(shares) == 0) or value < 1e-300


def test_resamples_are_seeded_and_draw_as_many_samples_as_there_are() -> None:
    weights = metrics.resamples(names(50), 200, seed=1)
    assert weights.shape == (200, 50)
    assert set(weights.sum(1)) == {50}
    assert np.array_equal(weights, metrics.resamples(names(50), 200, seed=1))
    assert not np.array_equal(weights, metrics.resamples(names(50), 200, seed=2))


def names(count: int) -> list[str]:
    """Problems with one sample each."""
    return list(map(str, range(count)))


def test_samples_of_a_problem_are_drawn_together_and_their_copies_tell_nothing_new() -> None:
    weights = metrics.resamples(["a", "b", "a", "c"], 300, seed=1)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, [0, 1, 3]], metrics.resamples(["a", "b", "c"], 300, seed=1))
    values = np.random.default_rng(0).random(40)
    once = metrics.interval(metrics.resamples(names(40), 500, 0) @ values / 40)
    four = metrics.interval(metrics.resamples(names(40) * 4, 500, 0) @ np.tile(values, 4) / 160)
    apart = metrics.interval(metrics.resamples(names(160), 500, 0) @ np.tile(values, 4) / 160)
    assert once is not None
    assert apart is not None
    assert four == pytest.approx(once)
    assert apart[1] - apart[0] < 0.6 * (once[1] - once[0])


def test_one_problem_has_no_interval() -> None:
    weights = metrics.resamples(["a", "a"], 100, seed=0)
    assert weights.shape == (0, 2)
    assert metrics.interval(weights @ np.ones(2)) is None
    assert metrics.detectable(weights @ np.ones(2)) is None


def test_the_detectable_difference_is_found_in_four_of_five_trials() -> None:
    rng = np.random.default_rng(5)
    spread = metrics.detectable(metrics.resamples(names(100), 2000, 0) @ rng.normal(0, 1, 100) / 100)
    assert spread == pytest.approx(2.8 / 10, rel=0.2)
    found = 0
    for _ in range(300):
        values = rng.normal(0.28, 1, 100)
        found += abs(values.mean()) > 1.96 * values.std(ddof=1) / 10
    assert found / 300 == pytest.approx(0.8, abs=0.1)


def test_draws_do_not_depend_on_what_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate([*metrics.bootstrap(30, 50, 7)])
    monkeypatch.setattr(metrics, "AT_ONCE", 100)
    slices = [*metrics.bootstrap(30, 50, 7)]
    assert {len(each) for each in slices} == {2, 3}
    assert np.array_equal(np.concatenate(slices), whole)
    assert np.array_equal(metrics.resamples(names(30), 50, 7), whole)


def test_numbers_stay_what_reports_have_said() -> None:
    weights = metrics.resamples([f"p{index % 25}" for index in range(60)], 200, 3)
    means = weights @ np.arange(60) / 60
    assert weights.sum() == 12008
    assert metrics.interval(means) == pytest.approx((27.115833333333, 32.071250000000))
    assert metrics.detectable(means) == pytest.approx(3.782491631198)


def test_the_bootstrap_interval_is_the_normal_one_for_a_mean_of_many() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1000)
    ends = metrics.interval(metrics.resamples(names(1000), 4000, 0) @ values / 1000)
    error = values.std() / math.sqrt(1000)
    assert ends == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.1 * error)


def test_samples_are_resampled_whole() -> None:
    """Ten equal steps a sample tell no more than one: the interval is as wide as that of one step a sample."""
    right = np.random.default_rng(3).random(200) < 0.6
    many = Steps(np.repeat(np.arange(200), 10), np.tile(np.arange(10), 200), np.repeat(right, 10), np.ones(2000))
    one = Steps(np.arange(200), np.zeros(200, dtype=int), right, np.ones(200))
    weights = metrics.resamples(names(200), 500, 0)
    both = [metrics.interval(metrics.f1_right(weights @ metrics.cells(steps, 0.5, 200))) for steps in (many, one)]
    assert both[0] == pytest.approx(both[1])


def test_undefined_resamples_are_left_out_and_nothing_defined_is_none() -> None:
    assert metrics.interval([math.nan, 1.0, 1.0]) == (1.0, 1.0)
    assert metrics.interval([math.nan]) is None
    assert metrics.interval(np.zeros(0)) is None


@given(steps=columns(), threshold=SCORE)
def test_f1_and_auc_agree_with_scikit_learn(steps: Steps, threshold: float) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    found = steps.score > threshold
    counts = metrics.cells(steps, threshold, 6).sum(0)
    ours = (metrics.f1_right(counts), metrics.f1_wrong(counts))
    theirs = [sklearn.f1_score(steps.right, found, pos_label=label, zero_division=math.nan) for label in (True, False)]
    assert ours == pytest.approx(theirs, nan_ok=True)
    assume(steps.right.any() and not steps.right.all())
    weights = metrics.resamples(names(6), 1, 0)[0][steps.sample]
    assert metrics.auc(steps.right, steps.score) == pytest.approx(sklearn.roc_auc_score(steps.right, steps.score))
    assume(weights[steps.right].any() and weights[~steps.right].any())
    expected = sklearn.roc_auc_score(steps.right, steps.score, sample_weight=weights)
    assert metrics.auc(steps.right, steps.score, weights) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_bootstrap_agrees_with_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (150, 4))
    ours = metrics.interval(metrics.macro_f1(metrics.resamples(names(150), 4000, seed) @ counts))
    theirs = stats.bootstrap(
        tuple(counts.T), lambda *cells, axis: metrics.macro_f1(np.stack([c.sum(axis) for c in cells], -1)),
        paired=True, method="percentile", n_resamples=4000, rng=rng, vectorized=True,
    ).confidence_interval  # fmt: skip
    assert ours is not None
    assert ours == pytest.approx(tuple(theirs), abs=0.06 * (ours[1] - ours[0]))
