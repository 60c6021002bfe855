"""The pictures of a report hold few series, the best ones, and say what is seen."""

from __future__ import annotations

from typing import Any

from demo.reproduction.pictures import PICTURES, names_of
from stages.best_of_n.plots import best, render

SIZES = [1, 2, 4, 8, 16]


def way(label: str, kind: str, critic: str | None, top: float, aggregate: str | None = None) -> dict[str, Any]:
    points = [
        {"n": n, "mean": (mean := 0.6 + (top - 0.6) * place / 4), "low": mean - 0.03, "high": mean + 0.03}
        for place, n in enumerate(SIZES)
    ]
    return {"label": label, "kind": kind, "critic": critic, "aggregate": aggregate, "accuracy": points}


def report() -> dict[str, Any]:
    critics = {f"critic-{number}": 0.65 + 0.02 * number for number in range(10)}
    return {
        "sizes": SIZES,
        "settings": {"aggregate": "mean"},
        "methods": [
            way("pass@1", "pass@1", None, 0.6),
            way("random", "random", None, 0.6),
            way("self-consistency", "self-consistency", None, 0.7),
            *(way(f"{name} (mean)", "best", name, top, "mean") for name, top in critics.items()),
            *(way(f"{name} (min)", "best", name, top, "min") for name, top in critics.items()),
            way("orm × vote", "vote", "orm", 0.8),
            way("oracle pass@N", "oracle", None, 0.99),
        ],
    }


def test_the_best_critics_are_shown_by_the_aggregator_that_votes_use() -> None:
    assert [one["label"] for one in best(report(), "best")] == [f"critic-{number} (mean)" for number in range(9, 3, -1)]


def test_what_critics_rank_and_what_they_weigh_are_two_pictures() -> None:
    files = render(report())
    assert sorted(files) == ["report.png", "report.svg", "votes.png", "votes.svg"]
    assert b"critic-9 (mean)" in files["report.svg"]
    assert b"critic-3 (mean)" not in files["report.svg"]
    assert b"orm \xc3\x97 vote" in files["votes.svg"]
    assert "first choice is right in 77.3% at best" in files["report.svg"].decode()


def test_without_a_critic_there_are_the_baselines() -> None:
    found = report()
    found["methods"] = [one for one in found["methods"] if one["critic"] is None]
    assert b"self-consistency" in render(found)["report.svg"]


def test_the_reproduction_leaves_out_critics_that_are_not_there() -> None:
    held: dict[tuple[str | None, str], str] = {
        ("value", "best"): "value (mean)",
        ("orm", "best"): "orm",
        ("value", "vote"): "value (mean) × vote",
    }
    assert [names_of(one, held) for one in PICTURES] == [
        {"value (mean)": "value", "orm": "orm"},
        {"value (mean)": "value"},
        {"value (mean)": "value"},
        {"value (mean) × vote": "value"},
    ]
