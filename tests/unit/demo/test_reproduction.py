"""What the reproduction report says of numbers that the evaluators wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.checks.tables import best_first, gains
from demo.checks.tables import main as tables_main
from demo.reproduction.claims import (
    Accuracies,
    Claim,
    Results,
    claims_of_n,
    claims_of_temperature,
    claims_of_variants,
    claims_of_wide,
    claims_of_wide_choice,
    label,
)
from demo.reproduction.document import Corpus, document
from demo.reproduction.plan import VARIANTS, Places, Plan
from demo.reproduction.tasks import Task, run
from stages.evaluate.paper import BEST_OF_N

SIZES = (1, 2, 4, 8, 16, 32, 64)


def measure(value: float, half: float = 0.01, **more: float) -> dict:
    return {"value": value, "low": value - half, "high": value + half, **more}


def bench(macro_f1: float, difference: float | None) -> dict:
    report = {
        "pooled": {"macro_f1": measure(macro_f1), "auc": measure(0.9), "first_error_accuracy": measure(0.5)},
        "baselines": {"always_right": {"pooled": 0.42}, "fair_coin": {"pooled": 0.48}},
    }
    against = {"macro_f1": measure(difference or 0, 0.02, detectable=0.03)}
    return report if difference is None else {**report, "against": against}


def pool(temperature: float = 0.7, **levels: float) -> Accuracies:
    """Accuracies around these levels, which all rise with N alike; noise is common to all ways."""
    noise = np.random.default_rng(0).normal(0, 0.2, 300)
    own = np.random.default_rng(1).normal(0, 0.01, (len(levels), 300))
    of = {
        (name, n): level + 0.01 * np.log2(n) + noise + own[k]
        for k, (name, level) in enumerate(levels.items())
        for n in SIZES
    }
    methods = [
        {"label": name, "aggregate": None,
         "accuracy": [{"n": n, "mean": float(of[name, n].mean()), "low": 0.5, "high": 0.7} for n in SIZES]}
        for name in levels
    ]  # fmt: skip
    about = {"problems": 300, "num_candidates": 64, "sampling": {"temperature": temperature}}
    problems = [f"{k:03}" for k in range(300)]
    return Accuracies({"sizes": list(SIZES), "methods": methods, "pool": about}, problems, of)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "reproduced"), (-0.2, -0.01, "not reproduced"), (-0.1, 0.1, "undecided")],
)
def test_the_interval_decides(low: float, high: float, verdict: str) -> None:
    found = {"value": (low + high) / 2, "low": low, "high": high, "detectable": 0.1}
    assert Claim("", "", "", found).verdict == verdict
    assert Claim("", "").verdict == "not measured"


def test_differences_are_paired_over_problems() -> None:
    """The noise that all ways share, twenty times the difference's own, is in no interval."""
    found = {
        one.text: one for one in claims_of_n(pool(**{"value (mean)": 0.62, "self-consistency": 0.6, "pass@1": 0.5}))
    }
    gain = found["the PRM gains from N = 32 to 64"].difference
    assert gain is not None
    assert (gain["low"], gain["value"], gain["high"]) == pytest.approx((0.01, 0.01, 0.01))
    lead = found["… self-consistency"].difference
    assert lead is not None
    assert lead["value"] == pytest.approx(0.02, abs=0.003)
    assert lead["high"] - lead["low"] < 0.005
    assert lead["detectable"] == pytest.approx(2.8 * 0.01 * np.sqrt(2 / 300), rel=0.2)
    assert found["… self-consistency"].verdict == "reproduced"
    assert found["… an outcome reward model"].verdict == "not measured"


def test_the_papers_numbers_are_those_of_its_tables() -> None:
    of = {(row.critic, row.n): row.overall for row in BEST_OF_N if row.policy == "InternVL2.5-8B"}
    majority, orm, prm = ((of[name, 8], of[name, 64]) for name in ("self-consistency", "ORM", "PRM"))
    expected = {
        "the PRM's best of 8 beats pass@1": (of["none", 1], prm[0]),
        "… self-consistency": (majority[0], prm[0]),
        "… an outcome reward model": (orm[0], prm[0]),
        "the PRM beats self-consistency at N = 64": (majority[1], prm[1]),
        "… an outcome reward model at N = 64": (orm[1], prm[1]),
        "the PRM gains from N = 8 to 64": prm,
        "the PRM gains from N = 32 to 64": (of["PRM", 32], prm[1]),
        "its lead over self-consistency grows from N = 8 to 64": tuple(
            p - m for p, m in zip(prm, majority, strict=True)
        ),
        "its lead over an outcome reward model grows from N = 8 to 64": tuple(
            p - o for p, o in zip(prm, orm, strict=True)
        ),
    }
    stated = {one.text: one.paper for one in claims_of_n(pool(**{"value (mean)": 0.6}))}
    assert {text: ", ".join(f"{x:.1f}" for x in pair) for text, pair in expected.items()} == {
        text: stated[text] for text in expected
    }


def test_a_lead_that_grows_is_the_difference_of_two_leads() -> None:
    given = pool(**{"value (mean)": 0.7, "self-consistency": 0.6, "orm": 0.65, "pass@1": 0.5})
    of = {**given.of, ("value (mean)", 64): given.of["value (mean)", 64] + 0.05}
    found = {one.text: one for one in claims_of_n(replace(given, of=of))}
    grown = found["its lead over an outcome reward model grows from N = 8 to 64"]
    assert grown.difference is not None
    assert grown.difference["value"] == pytest.approx(0.05)
    assert grown.verdict == "reproduced"
    before, after = map(float, grown.here.split(", "))
    assert after - before == pytest.approx(5, abs=0.11)


def test_aggregates_and_thresholds_have_rows_of_their_own() -> None:
    ways = {label("value", aggregate): 0.6 + k / 100 for k, aggregate in enumerate(("max", "last", "min", "mean"))}
    found = {one.text: one for one in claims_of_variants(pool(**ways, **{label("threshold-1-4"): 0.7}))}
    assert found["… their max"].verdict == "reproduced"
    assert found["threshold 0 beats 1/4"].verdict == "not reproduced"
    assert found["… their product (not in the paper)"].verdict == "not measured"


def test_more_problems_and_another_temperature_have_rows_of_their_own() -> None:
    ways = {"pass@1": 0.6, "self-consistency": 0.7, label("value"): 0.8, label("wide"): 0.9}
    steps = {"value": bench(0.8, None), "wide": bench(0.9, 0.1)}
    first, short = claims_of_wide(steps)
    assert first.row[2:4] == ("80.0, 90.0", "+10.0 [+8.0, +12.0]")
    assert short.verdict == "not measured"
    by_text = {one.text: one for one in claims_of_wide_choice(pool(**ways))}
    gained = by_text["more problems choose better among 64"].difference
    assert gained is not None
    assert gained["value"] == pytest.approx(0.1, abs=0.003)
    assert by_text["the vote that it weighs gains from N = 8 to 64"].verdict == "not measured"
    cool, warm = pool(**ways), pool(1.0, **{**ways, label("value"): 0.75})
    best, one = claims_of_temperature(cool, warm)
    assert one.difference is not None
    assert one.difference["value"] == 0
    assert best.difference is not None
    assert best.difference["value"] == pytest.approx(0.05)
    # A problem that one pool lacks: the rest are still compared each with itself.
    less = replace(warm, problems=warm.problems[1:], of={way: values[1:] for way, values in warm.of.items()})
    best, one = claims_of_temperature(cool, less)
    assert one.difference is not None
    assert one.difference["value"] == one.difference["high"] == 0


def test_a_corpus_is_read_from_its_statistics(tmp_path: Path) -> None:
    counts = {"correct": 30, "incorrect": 12, "truncated": 1}
    total = {"problems": 5, "solutions": 20, "draws": counts, "tokens": 700}
    policies = [{"strategy": "fixed num_draws=16"}, {"strategy": "fixed num_draws=8"}]
    (tmp_path / "stats.json").write_text(json.dumps({"total": total, "policies": policies}))
    read = "5 problems, 20 solutions, `fixed num_draws=16, fixed num_draws=8`, 43 draws, 700 tokens"
    assert str(Corpus.read(tmp_path)) == read


def test_accuracies_are_read_in_one_order_of_problems(tmp_path: Path) -> None:
    rows = [
        {"problem_id": problem, "method": method, "n": n, "accuracy": float(ord(problem)) + n / 10 + len(method)}
        for problem in "cab"
        for n in (2, 1)
        for method in ("orm", "pass@1")
    ]
    (tmp_path / "report").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "report" / "problems.parquet")
    (tmp_path / "report" / "report.json").write_text('{"sizes": [1, 2]}')
    found = Accuracies.read(tmp_path)
    assert found.problems == ["a", "b", "c"]
    assert set(found.of) == {("orm", 1), ("orm", 2), ("pass@1", 1), ("pass@1", 2)}
    assert found.of["orm", 2] == pytest.approx([97 + 3.2, 98 + 3.2, 99 + 3.2])
    assert found.of["pass@1", 1] == pytest.approx([97 + 6.1, 98 + 6.1, 99 + 6.1])
    assert found.total([("orm", 1), ("nobody", 1)]) is None


def test_both_tables_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    more = {"bench": "b", "steps": {"samples": 9, "right": 30, "wrong": 20}, "threshold": {"rule": "tuned"}}
    for name, difference in (("prm", None), ("base", -0.4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps({**bench(0.9, difference), **more}))
    given = pool(**{"pass@1": 0.6}).report
    (tmp_path / "pool" / "report").mkdir(parents=True)
    about = {"pool": {"problems": 300, "num_candidates": 64}}
    (tmp_path / "pool" / "report" / "report.json").write_text(json.dumps({**given, **about}))
    words = ["tables", str(tmp_path / "prm"), str(tmp_path / "base"), "--pool", str(tmp_path / "pool")]
    monkeypatch.setattr("sys.argv", words)
    tables_main()
    printed = capsys.readouterr().out
    assert "9 solutions, 30 right and 20 wrong steps; threshold tuned" in printed
    assert "-40.0 [-42.0, -38.0]" in printed
    assert "300 problems × 64 candidates" in printed
    assert "N = 64 |" in printed


def test_the_best_way_to_choose_comes_first_and_is_compared_whichever_stood_first() -> None:
    report = {
        "sizes": [1, 8, 16],
        "methods": [
            {"label": "pass@1", "accuracy": [{"mean": 0.6}, {"mean": 0.6}, {"mean": 0.6}]},
            {"label": "prm (mean)", "accuracy": [{"mean": 0.6}, {"mean": 0.8}, {"mean": 0.5}]},
            {"label": "orm", "accuracy": [{"mean": 0.6}, {"mean": 0.7}, {"mean": 0.4}]},
        ],
        "comparisons": [
            {"first": "prm (mean)", "second": "pass@1", "n": 8, "mean": 0.2, "low": 0.15, "high": 0.25},
            {"first": "orm", "second": "prm (mean)", "n": 8, "mean": -0.1, "low": -0.14, "high": -0.05},
            {"first": "orm", "second": "pass@1", "n": 8, "mean": 0.1, "low": 0.05, "high": 0.15},
            {"first": "prm (mean)", "second": "pass@1", "n": 16, "mean": 0.3, "low": 0.25, "high": 0.35},
        ],
    }
    assert [method["label"] for method in best_first(report, 8)["methods"]] == ["prm (mean)", "orm", "pass@1"]
    assert gains(report, "prm", 8) == (
        "prm (mean), best of 8, in points of accuracy against each other way: "
        "pass@1 +20.0 [+15.0, +25.0], orm +10.0 [+5.0, +14.0]."
    )


def test_every_claim_has_a_row_whatever_was_measured() -> None:
    results = Results(
        {"value": bench(0.9, None), "base": bench(0.5, -0.4), "advantage": bench(0.91, 0.01)},
        [pool(**{"value (mean)": 0.5, "pass@1": 0.6}), pool(1.0, **{"value (mean)": 0.7, "pass@1": 0.6})],
        {"value": bench(0.6, None), "base": bench(0.4, None)},
    )
    corpora = {"dataset": Corpus(1000, 4000, "fixed num_draws=16", 304_000, 5_000_000)}
    text = document(results, {"dataset": 3600.0}, corpora, "make reproduce", "| labels |", {"x.png": "Choices"})
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    base = rows["a PRM finds wrong steps better than its base model as a critic"]
    assert [cell.strip() for cell in base.split("|")[2:-1]] == [
        "48.0, 62.0", "50.0, 90.0", "+40.0 [+38.0, +42.0]", "3.0", "reproduced",
    ]  # fmt: skip
    verdicts = [line.split("|")[-2].strip() for line in text.splitlines() if "the PRM's best of 8 beats pass@1" in line]
    assert verdicts == ["not reproduced", "holds"], "at temperature 0.7, then at 1, where the paper has no number"
    assert rows["value labels beat advantage labels"].rstrip(" |").endswith("not measured")
    assert "90.0 [89.0, 91.0]" in rows["value, all steps, threshold 0"]
    section = text.partition("## Step or prefix")[2].partition("\n## ")[0]
    (by_step,) = (line for line in section.splitlines() if line.startswith("| value, all steps, threshold 0"))
    assert [cell.strip() for cell in by_step.split("|")[2:4]] == ["90.0 [89.0, 91.0]", "60.0 [59.0, 61.0]"]
    assert "advantage" not in section, "it was not held against labels of steps"
    assert "| labels |" in text
    assert "- dataset: 1,000 problems, 4,000 solutions, `fixed num_draws=16`, 304,000 draws, 5,000,000 tokens" in text
    assert "More problems" not in text
    wide = Corpus(4000, 16_000, "right_to_left num_draws=16 rounds=4,4,8", 369_000, 5_500_000)
    text = document(results, {}, {**corpora, "wide": wide}, "make reproduce", "| labels |", {"x.png": "Choices"})
    assert "`wide` has 4.0 × the problems and solutions for 1.10 × the generated tokens." in text
    assert "42.0" in rows["every step right"]


def test_tasks_come_after_what_they_need() -> None:
    phases = Plan(Places("r"), 1000, 600, list(VARIANTS)).phases()
    order = [task for phase in phases for task in phase]
    names = [task.name for task in order]
    assert len(set(names)) == len(names)
    assert "bench-orm" not in names
    earlier: set[str] = set()
    for phase in phases:
        assert all({one.name for one in task.after} <= earlier for task in phase)
        earlier |= {task.name for task in phase}
    by_name = {task.name: task for task in order}
    assert by_name["train-wide"].after == (by_name["wide"],)
    assert by_name["bench"].after == (by_name["pool-1.0"],), "steps are judged where there are more errors"
    assert "sampling.temperature=0.7" in by_name["pool-0.7"].command
    assert "--like" in by_name["scores-1.0-base"].command
    assert by_name["bench-steps"].command[-4:-2] == ("--about", "step")
    assert str(Places("r").report("wide") / "scores.jsonl") in by_name["steps-wide"].command
    base = next(task for task in order if task.name == "bench-base")
    assert base.command[base.command.index("--like") + 1] == str(Places("r").model("value"))


def test_a_task_is_repeated_when_anything_before_it_was_another(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = Task("first", ("sh", "-c", f"echo first >> {log}"), log)
    second = Task("second", ("sh", "-c", f"echo second >> {log}"), log, (first,))
    other = Task("second", second.command, log, (Task("first", ("true",), log),))
    for task in (first, second, first, second, other, other):
        task.run(tmp_path / "done")
    assert log.read_text().split() == ["first", "second", "second"]
    log.unlink()
    first.run(tmp_path / "done")
    assert log.read_text().split() == ["first"], "what it made was gone"
    failing = Task("third", ("false",), log)
    for _ in range(2):
        with pytest.raises(SystemExit, match="third ended with status 1"):
            failing.run(tmp_path / "done")


def test_tasks_of_a_phase_all_end_before_the_next_begins(tmp_path: Path) -> None:
    log = tmp_path / "log"
    slow = Task("slow", ("sh", "-c", f"sleep 0.3; echo slow >> {log}"), log)
    quick = Task("quick", ("sh", "-c", f"echo quick >> {log}"), log)
    last = Task("last", ("sh", "-c", f"echo last >> {log}"), log, (slow, quick))
    assert set(run([[slow, quick], [last]], tmp_path / "done")) == {"slow", "quick", "last"}
    assert log.read_text().split()[-1] == "last"
    with pytest.raises(SystemExit, match="bad ended with status 1"):
        run(
            [[quick, Task("bad", ("false",), log)], [Task("never", ("sh", "-c", f"echo never >> {log}"), log)]],
            tmp_path / "done",
        )
    assert "never" not in log.read_text()
