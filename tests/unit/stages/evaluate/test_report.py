"""The report: published sanity values, three overalls, neutral and unmeasured steps, thresholds, tables and plots."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from stages.evaluate import plots, table
from stages.evaluate.bench import BenchSample
from stages.evaluate.critic import Scores
from stages.evaluate.paper import VISUAL_PROCESS_BENCH
from stages.evaluate.report import Json, build
from stages.evaluate.threshold import Rule, is_for_tuning

# Right and wrong steps of VisualProcessBench by source, and the macro-F1 of a critic that calls everything right.
PUBLISHED = {
    "MMMU": (1698, 708, 41.4),
    "MathVision": (3875, 2350, 38.4),
    "MathVerse": (5767, 2960, 39.8),
    "DynaMath": (3469, 1091, 43.2),
    "WeMath": (1776, 582, 43.0),
}
HALF = Rule("fixed", 0.5)


def sample(
    labels: Sequence[int], source: str = "s", policy: str = "p", question: str = "q", name: str = ""
) -> BenchSample:
    return BenchSample(name, source, policy, question, (), tuple("step" for _ in labels), tuple(labels))


def report(samples: Sequence[BenchSample], scores: Sequence[Scores], rule: Rule = HALF, resamples: int = 20) -> Json:
    return {**build(samples, scores, rule, resamples, 0), "rejected": {}, "failures": {}}


def noisy(count: int, seed: int = 0) -> tuple[list[BenchSample], list[Scores]]:
    """Samples of two sources and a critic that is right more often than not."""
    rng = np.random.default_rng(seed)
    samples = [
        sample(rng.choice([1, 1, -1, 0], 6).tolist(), "ab"[i % 2], "xyz"[i % 3], f"question {i}") for i in range(count)
    ]
    scores = [[float(rng.beta(3, 2) if label == 1 else rng.beta(2, 3)) for label in one.labels] for one in samples]
    return samples, [list(row) for row in scores]


def published_bench() -> list[BenchSample]:
    return [
        sample([1] * right + [-1] * wrong, source, question=source) for source, (right, wrong, _) in PUBLISHED.items()
    ]


def test_always_right_on_the_published_counts_gives_the_published_values() -> None:
    samples = published_bench()
    found = report(samples, [[1.0] * len(one.steps) for one in samples])
    assert found["steps"]["right"] == 16585
    assert found["steps"]["wrong"] == 7691
    assert round(100 * found["overall"]["pooled"]["value"], 1) == 40.6
    for source, (_, _, expected) in PUBLISHED.items():
        assert round(100 * found["sources"][source]["macro_f1"]["value"], 1) == expected
        assert found["baselines"]["always_right"]["sources"][source] == found["sources"][source]["macro_f1"]["value"]
    assert round(100 * found["baselines"]["fair_coin"]["pooled"], 1) == 48.3
    assert found["baselines"]["always_right"]["pooled"] == found["overall"]["pooled"]["value"]


def test_the_three_overalls_are_what_they_say() -> None:
    samples, scores = noisy(40)
    found = report(samples, scores)
    sources = found["sources"].values()
    values = [one["macro_f1"]["value"] for one in sources]
    steps = [one["right"] + one["wrong"] for one in sources]
    overall = found["overall"]
    assert overall["pooled"] == found["pooled"]["macro_f1"]
    assert overall["plain_mean"]["value"] == pytest.approx(sum(values) / 2)
    expected = sum(v * n for v, n in zip(values, steps, strict=True)) / sum(steps)
    assert overall["step_weighted"]["value"] == pytest.approx(expected)
    for measure in overall.values():
        assert measure["low"] <= measure["value"] <= measure["high"]


def test_neutral_steps_count_nowhere_whatever_their_score() -> None:
    samples = [sample([1, 0, -1]), sample([1, 0, 1])]
    both = [report(samples, [[0.9, x, 0.1], [0.8, x, 0.2]]) for x in (0.0, 1.0)]
    assert both[0] == both[1]
    assert both[0]["steps"] == {
        "samples": 2, "all": 6, "right": 3, "wrong": 1, "without_label": 2, "not_measured": 0
    }  # fmt: skip


def test_a_step_without_a_score_is_counted_and_in_no_number() -> None:
    with_hole = report([sample([1, -1]), sample([1, -1, -1])], [[0.9, 0.1], [0.9, None, 0.1]])
    without = report([sample([1, -1]), sample([1, 0, -1])], [[0.9, 0.1], [0.9, 0.5, 0.1]])
    assert with_hole["steps"]["not_measured"] == with_hole["pooled"]["not_measured"] == 1
    assert with_hole["pooled"]["macro_f1"] == without["pooled"]["macro_f1"]
    # Whether its first error is found is not known.
    assert with_hole["pooled"]["first_error_samples"] == 1


def test_first_errors_and_their_harmonic_mean() -> None:
    samples = [sample([1, -1, -1]), sample([1, -1, 1]), sample([1, 1]), sample([1, 1])]
    scores: list[Scores] = [[0.9, 0.1, 0.9], [0.1, 0.1, 0.9], [0.9, 0.9], [0.9, 0.9]]
    found = report(samples, scores)
    pooled = found["pooled"]
    assert pooled["first_error_accuracy"]["value"] == 0.75
    assert pooled["first_error_accuracy_erroneous"]["value"] == 0.5
    assert pooled["first_error_accuracy_all_right"]["value"] == 1.0
    assert pooled["first_error_f1"]["value"] == pytest.approx(2 / 3)
    assert found["first_error_f1_mean"] == pytest.approx(2 / 3)
    # A source without any error has no such F1, and then neither has the mean.
    assert report([*samples, sample([1], "other")], [*scores, [0.9]])["first_error_f1_mean"] is None


def test_policies_and_positions_part_the_steps() -> None:
    samples, scores = noisy(60)
    found = report(samples, scores)
    for groups in ("sources", "policies", "positions"):
        assert sum(row["right"] for row in found[groups].values()) == found["pooled"]["right"]
        assert sum(row["wrong"] for row in found[groups].values()) == found["pooled"]["wrong"]
    assert list(found["positions"]) == ["1", "2", "3", "4", "5", "6"]


def test_long_solutions_share_the_last_row() -> None:
    found = report([sample([1, -1] * 8)], [[0.9, 0.1] * 8])
    assert list(found["positions"])[-1] == "12+"
    assert found["positions"]["12+"]["right"] + found["positions"]["12+"]["wrong"] == 5


def test_a_tuned_threshold_is_reported_on_the_other_questions_alone() -> None:
    samples, scores = noisy(200)
    rule = Rule.parse("tuned:0.3")
    found = report(samples, scores, rule)
    tuned = [is_for_tuning(one.question, 0.3) for one in samples]
    assert found["threshold"]["tuned_on"] == sum(tuned)
    assert found["steps"]["samples"] == len(samples) - sum(tuned)
    kept = [(one, s) for one, s, tune in zip(samples, scores, tuned, strict=True) if not tune]
    fixed = Rule("fixed", found["threshold"]["value"])
    assert report([one for one, _ in kept], [s for _, s in kept], fixed)["pooled"] == found["pooled"]
    swept = report([one for one, _ in kept], [s for _, s in kept], Rule("swept"))
    assert swept["pooled"]["macro_f1"]["value"] >= found["pooled"]["macro_f1"]["value"]
    assert "upper bound" in swept["threshold"]["text"]


def test_a_split_goes_by_question_and_near_the_share_asked_for() -> None:
    chosen = [is_for_tuning(f"question {i}", 0.2) for i in range(5000)]
    assert sum(chosen) / 5000 == pytest.approx(0.2, abs=0.02)
    assert all(is_for_tuning(f"question {i}", 0.5) for i in range(5000) if chosen[i])


@pytest.mark.parametrize("text", ["tune", "tuned:2", "tuned:", "half", "", "nan", "inf"])
def test_other_thresholds_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--threshold"):
        Rule.parse(text)


def test_nothing_scored_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(UserError, match="no labelled step has a score"):
        report([sample([1, -1])], [[None, None]])


def test_one_class_alone_has_no_macro_f1() -> None:
    found = report([sample([1, 1])], [[0.9, 0.8]])
    assert found["pooled"]["macro_f1"] == {"value": None, "low": None, "high": None}
    assert found["pooled"]["f1_right"]["value"] == 1.0
    assert found["pooled"]["auc"]["value"] is None
    assert "| – |" in table.render("t", found, {})


def test_solutions_of_one_problem_are_resampled_together() -> None:
    """Four copies of every solution tell no more than one; and a source of one problem has no interval."""
    samples, scores = noisy(30)
    once, four = report(samples, scores, resamples=100), report(samples * 4, scores * 4, resamples=100)
    for key in ("macro_f1", "auc", "first_error_accuracy"):
        assert four["pooled"][key] == pytest.approx(once["pooled"][key])
    assert four["bootstrap"]["problems"] == 30
    alone = report([*samples, *[sample([1, -1], "lone", question="x")] * 2], [*scores, [0.9, 0.1], [0.9, 0.1]])
    assert alone["sources"]["lone"]["macro_f1"] == {"value": 1.0, "low": None, "high": None}
    assert alone["pooled"]["macro_f1"]["low"] is not None


def test_the_same_input_gives_the_same_bytes_and_all_numbers_are_json() -> None:
    samples, scores = noisy(30)
    reports = [report(samples, scores) for _ in range(2)]
    assert reports[0] == reports[1]
    assert plots.render("t", reports[0]) == plots.render("t", reports[1])
    text = json.dumps(reports[0], allow_nan=False)
    assert json.loads(text) == reports[0]


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    """Against a critic whose true macro-F1 is known: each step is judged rightly with the same chance."""
    rng, hits, trials = np.random.default_rng(0), 0, 80
    accuracy, share = 0.8, 0.7
    right = 2 * share * accuracy / (share * accuracy + (1 - share) * (1 - accuracy) + share)
    wrong = 2 * (1 - share) * accuracy / ((1 - share) * accuracy + share * (1 - accuracy) + 1 - share)
    for _ in range(trials):
        truth = rng.random((60, 5)) < share
        found = np.where(rng.random((60, 5)) < accuracy, truth, ~truth)
        samples = [sample(np.where(row, 1, -1).tolist(), question=f"{index}") for index, row in enumerate(truth)]
        measure = report(samples, [list(map(float, row)) for row in found], resamples=200)["pooled"]["macro_f1"]
        hits += measure["low"] <= (right + wrong) / 2 <= measure["high"]
    assert hits / trials == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / trials))


def test_published_rows_stand_beside_ours_where_the_sources_are_the_papers() -> None:
    samples = [
        sample([1, -1], source)
        for source in ("MMMU", "MathVision", "MathVerse_Vision_Only", "DynaMath", "WeMath")
    ]  # fmt: skip
    found = report(samples, [[0.9, 0.1] for _ in samples])
    text = table.render("t", found, VISUAL_PROCESS_BENCH)
    assert "| VisualPRM-8B (paper) | 58.5 | 62.1 | 61.0 | 62.7 | 61.8 | 62.0 |" in text
    assert "(paper)" not in table.render("t", report(samples[:3], [[0.9, 0.1]] * 3), VISUAL_PROCESS_BENCH)


def test_the_plot_is_a_picture() -> None:
    samples, scores = noisy(30)
    files = plots.render("t", report(samples, scores))
    assert b"macro-F1" in files["report.svg"]
    picture = Image.open(io.BytesIO(files["report.png"]))
    assert picture.format == "PNG"
    assert picture.size[0] > 1000
