"""Hand-checked pairs of a gold and a response, most of them near misses; `why` says what each is about."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from stages.verify.judge import judge
from tests.places import GOLDEN

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (GOLDEN / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['gold']} <- {row['why']}"[:60] for row in ROWS])
def test_hand_checked_verdict(row: dict[str, Any]) -> None:
    verdict = judge(
        row["gold"],
        row["response"],
        row["modes"],
        row["options"],
        row.get("question", ""),
        row.get("finish_reason", "stop"),
    )
    assert verdict.status == row["status"], verdict


def test_most_cases_are_near_misses() -> None:
    statuses = Counter(row["status"] for row in ROWS)
    assert statuses.total() >= 300
    assert statuses["correct"] < statuses.total() / 2
    assert all(row["why"] for row in ROWS)
