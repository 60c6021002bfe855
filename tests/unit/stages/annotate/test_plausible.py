"""What cannot be right in counts, and what ends a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import LabelConfig, LimitsConfig, RunConfig, ledger_view, load_config, parse_config
from pipeline.records import VERDICT_STATUSES, Solution
from pipeline.settings import dump_settings
from stages.annotate.plausible import SHARES, Bounds, ended_early, find, of_statistics, over_limits
from stages.annotate.tally import Answers, Tally, together
from stages.label import labelled_steps
from stages.publish.stats import Stats, count_steps, statistics
from tests.places import ROOT
from tests.unit.stages.publish.test_rows import annotate, make_problem

COUNTS = st.dictionaries(st.sampled_from(VERDICT_STATUSES), st.integers(1, 10**6))
ANSWERS = st.builds(Answers, st.integers(0, 10**6), st.builds(Counter, COUNTS), st.builds(Counter, COUNTS))
TALLIES = st.builds(Tally, st.dictionaries(st.sampled_from(["a", "b", "c"]), ANSWERS), st.booleans())


def answers(problems: int = 10, **draws: int) -> Answers:
    """A source whose solutions have the verdicts of a tenth of its draws."""
    return Answers(problems, Counter({name: n // 10 for name, n in draws.items()}), Counter(draws))


def names(tally: Tally, bounds: Bounds | None = None) -> list[str]:
    return [found.kind.name for found in find(tally, bounds)]


def run(num_draws: int = 16, **limits: Any) -> RunConfig:
    data = {"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "rollout": {"num_draws": num_draws}}
    return parse_config({**data, "limits": limits})


@pytest.mark.parametrize(
    ("status", "kind", "bound"),
    [
        ("truncated", "truncated", 250),
        ("no_answer", "no_answer", 500),
        ("timeout", "verdict_errors", 100),
        ("error", "verdict_errors", 100),
    ],
)
def test_a_share_is_told_only_above_its_bound(status: str, kind: str, bound: int) -> None:
    at = Tally({"a": answers(correct=1000 - bound, **{status: bound})}, True)
    above = Tally({"a": answers(correct=999 - bound, **{status: bound + 1})}, True)
    assert (names(at), names(above)) == ([], [kind])
    (found,) = find(above)
    assert (found.count, found.of, found.overall) == (bound + 1, 1000, True)
    assert f"{bound + 1:,} of 1,000 draws" in found.text


def test_timeouts_and_errors_count_together() -> None:
    assert names(Tally({"a": answers(correct=890, timeout=60, error=50)}, True)) == ["verdict_errors"]


def test_a_bad_source_is_told_though_the_sum_hides_it() -> None:
    good = {name: answers(correct=9000) for name in "bcd"}
    (found,) = find(Tally({"a": answers(correct=100, truncated=900), **good}, True))
    assert (found.sources, found.overall) == (("a",), False)
    assert found.short == "90% of draws are cut at the token limit in a"


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (3, 997, ["few_right"]),  # 0.3 %, and at most 0.88 %
        (4, 996, []),  # 0.4 %, and at most 1.02 %
        (1, 399, []),  # 0.25 %, and at most 1.4 %: too few answers to tell
        (60, 9940, ["few_right"]),  # 0.6 %, and at most 0.77 %
        (100, 9900, []),
        (0, 1000, ["none_right"]),
    ],
)
def test_a_source_with_hardly_a_right_answer_is_told(right: int, wrong: int, expected: list[str]) -> None:
    source = Answers(10, Counter(), Counter(correct=right, incorrect=wrong))
    assert names(Tally({"a": source, "b": answers(correct=500)}, True)) == expected


def test_hardly_a_right_answer_is_told_with_its_counts_and_ends_no_run() -> None:
    few = Answers(10, Counter(correct=1, incorrect=99), Counter(correct=2, incorrect=898))
    tally = Tally({"a": few, "b": few, "c": answers(correct=500)}, True)
    (found,) = find(tally)
    assert found.short == "0.3% of answers are right in a, b"
    assert found.text.startswith(
        "6 of 2,000 solutions and continuations (0.3%) are right in a, b: the verifier accepts about as many wrong"
    )
    assert over_limits(tally, run(none_right=1)) is None


def test_the_sources_with_most_of_it_are_named_beside_the_sum() -> None:
    (found,) = find(Tally({"a": answers(correct=100, truncated=900), "b": answers(correct=900)}, True))
    assert (found.count, found.of, found.sources) == (900, 1900, ("a",))
    assert found.short == "47% of draws are cut at the token limit, above all in a"


def test_a_source_without_a_right_answer_is_told_though_others_are_right() -> None:
    tally = Tally({"a": answers(incorrect=300), "b": answers(correct=300)}, True)
    (found,) = find(tally)
    assert found.kind.name == "none_right"
    assert found.text.startswith("no right answer in a, in 330 solutions and continuations: compare golds")


@pytest.mark.parametrize(
    "one",
    [
        Answers(10, Counter(correct=7, incorrect=33), Counter(incorrect=600)),
        Answers(10, Counter(incorrect=40), Counter(correct=7, incorrect=600)),
        Answers(4, Counter(incorrect=40), Counter(incorrect=600)),
        Answers(19, Counter(incorrect=19), Counter()),
    ],
    ids=["solutions are right", "continuations are right", "few problems", "few answers"],
)
def test_a_source_with_a_right_answer_or_few_of_any_is_not_told(one: Answers) -> None:
    assert names(Tally({"a": one}, True)) == []


def test_no_positive_label_is_told_of_all_sources_together() -> None:
    tally = Tally({"a": answers(correct=10, incorrect=90), "b": answers(incorrect=90)}, False)
    assert names(tally) == ["none_right", "no_positive"]
    assert names(Tally(tally.sources, True)) == ["none_right"]
    assert names(Tally({"a": answers(incorrect=10)}, False)) == []


def test_solutions_alone_are_looked_at_where_nothing_was_drawn() -> None:
    one = Answers(50, Counter(correct=140, truncated=60), Counter())
    assert names(Tally({"a": one}, True)) == ["truncated"]


def test_many_sources_are_counted_and_few_named() -> None:
    tally = Tally({f"s{number}": answers(incorrect=300) for number in range(9)}, True)
    (found,) = find(tally)
    assert found.short == "no right answer in s0, s1, s2, s3, s4 and 4 more"


@given(TALLIES)
def test_every_finding_is_one_line_that_says_what_to_look_at(tally: Tally) -> None:
    for found in find(tally):
        assert "\n" not in found.text
        assert found.text.endswith(found.kind.look)
        assert found.kind not in SHARES or found.count <= found.of


@given(st.lists(TALLIES, max_size=4))
def test_tallies_add_up_and_come_back_from_json(tallies: list[Tally]) -> None:
    whole = together(tallies)
    assert whole.positive == any(one.positive for one in tallies)
    assert whole.total().draws == sum((one.total().draws for one in tallies), Counter())
    assert whole.total().problems == sum(one.total().problems for one in tallies)
    assert Tally.from_row(whole.row()) == whole


def _count(tally: dict[str, float], solution: Solution) -> None:
    """As publishing counts a solution."""
    steps = labelled_steps(solution, LabelConfig())
    count_steps(tally, [(label, step.score, step.origin) for step, label in steps])
    tally[f"responses.{solution.verdict.status}"] += 1
    for status in (draw.verdict.status for step in solution.steps for draw in step.draws):
        tally[f"draws.{status}"] += 1


def test_published_figures_give_the_tally_of_the_problems() -> None:
    stats, tally = Stats(), Tally()
    for seed in range(12):
        item = annotate(make_problem(seed))
        tally.count(item.problem.source, item.solutions, LabelConfig())
        stats.sources[item.problem.source]["problems"] += 1
        for solution in item.solutions:
            _count(stats.sources[item.problem.source], solution)
    found = of_statistics(statistics(stats.document()))
    assert found.positive
    assert found.total() == tally.total()
    assert {name: one.problems for name, one in found.sources.items()} == {"bars": 6, "shapes": 6}


def test_a_problem_that_failed_is_not_counted() -> None:
    tally = Tally()
    tally.count("a", (), LabelConfig())
    assert tally == Tally()


CUT = Tally({"a": answers(correct=400, truncated=600)}, True)


def test_limits_are_off_by_default_and_in_the_demo() -> None:
    wrong = Tally({"a": answers(10**6, incorrect=10**6)}, False)
    assert over_limits(wrong, run()) is None
    demo = load_config(ROOT / "configs/demo.yaml")
    assert not demo.limits.are_set
    assert over_limits(wrong, demo) is None


def test_a_limit_ends_a_run_above_its_share() -> None:
    assert over_limits(CUT, run(truncated=0.6)) is None
    config = run(truncated=0.5)
    found = over_limits(CUT, config)
    assert found is not None
    line = ended_early(found, config)
    assert line.startswith("ended early by limits.truncated=0.5: 600 of 1,000 draws (60.0%) are cut")
    assert "raise sampling.max_tokens" in line
    assert line.endswith("raise limits.truncated or set it to null, and the same command resumes")


def test_a_limit_waits_for_its_draws() -> None:
    assert over_limits(CUT, run(truncated=0.5, min_draws=1001)) is None
    assert over_limits(CUT, run(truncated=0.5, min_draws=1000)) is not None


def test_solutions_alone_have_no_limits() -> None:
    every: dict[str, Any] = {"truncated": 0.1, "no_answer": 0.1, "verdict_errors": 0.1, "none_right": 1, "min_draws": 1}
    bad = Tally({"a": Answers(100, Counter(truncated=400), Counter())}, False)
    assert over_limits(bad, run(num_draws=0, **every)) is None
    assert over_limits(bad, run(**every)) is not None


def test_one_source_ends_a_run_only_by_having_no_right_answer() -> None:
    tally = Tally({"a": answers(truncated=1000), "b": answers(correct=99_000)}, True)
    assert over_limits(tally, run(truncated=0.5)) is None
    assert over_limits(tally, run(none_right=1101)) is None
    found = over_limits(tally, run(none_right=1100))
    assert found is not None
    assert found.sources == ("a",)


def test_every_limit_is_one_that_is_decided_here() -> None:
    kinds = {"none_right", *(kind.name for kind in SHARES)}
    assert set(LimitsConfig.model_fields) == {*kinds, "min_draws"}


def test_a_run_ends_where_too_many_draws_are_cut() -> None:
    def cut(problems: int, truncated: int, **rollout: Any) -> str | None:
        config = parse_config({"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "rollout": rollout})
        found = over_limits(
            Tally({"a": answers(problems, correct=1000 - truncated, truncated=truncated)}, True), config
        )
        return ended_early(found, config) if found else None

    assert cut(49, 400) is None
    assert cut(50, 250) is None
    line = cut(50, 251)
    assert line is not None
    assert line.startswith(
        "ended early by rollout.max_truncated=0.25: 251 of 1,000 draws (25.1%) are cut at the token limit"
    )
    assert "raise sampling.max_tokens (and engine.max_model_len with it)" in line
    assert line.endswith("raise rollout.max_truncated or set it to null, and the same command resumes")
    assert cut(50, 400, max_truncated=0.4) is None
    assert cut(50, 400, max_truncated=None) is None
    assert cut(50, 400, num_draws=0) is None


def test_the_share_is_no_part_of_what_a_run_is_made_from() -> None:
    plain = parse_config({"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}]})
    other = parse_config(
        {"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "rollout": {"max_truncated": 0.5}}
    )
    assert ledger_view(plain) == ledger_view(other)
    assert plain.rollout.description == other.rollout.description == "fixed num_draws=16"
    assert "max_truncated" not in dump_settings(plain)
