"""Verdicts on real answers and on answers that verifiers fail on, where those files lie beside the repository."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from stages.verify.report import agreement, verify_file
from tests.places import SHARED

pytestmark = pytest.mark.usefixtures("shared_verifiers")
MODES = ("choice", "number", "math", "text")
REAL = sorted((SHARED / "verifier").glob("*.jsonl"))
CASES = SHARED / "verifier_cases" / "rows.jsonl"


@pytest.mark.skipif(not REAL, reason="needs ../shared")
def test_real_answers() -> None:
    rows = [row for path in REAL for row in verify_file(path, MODES)]
    found = agreement(rows)["all"]
    assert found.statuses.total() == 2_797
    assert found.accuracy is not None
    assert found.accuracy >= 0.98
    assert found.false_accepts <= 7, [row.given["id"] for row in rows if row.agrees is False and not row.known]
    assert not found.statuses["error"] + found.statuses["timeout"]


@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared")
def test_answers_that_verifiers_fail_on() -> None:
    given: list[dict[str, Any]] = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    verdicts = [row.verdict for row in verify_file(CASES, MODES)]
    fails, wrong, accepted = [], 0, 0
    for row, verdict in zip(given, verdicts, strict=True):
        right = verdict.status in row["expected"] or ("wrong" in row["expected"] and verdict.status != "correct")
        wrong += "correct" not in row["expected"]
        accepted += "correct" not in row["expected"] and verdict.status == "correct"
        if not right:
            fails.append(row)
    assert not [row["id"] for row in fails if row["today"] == "passes"]
    assert len(fails) <= 0.03 * len(given), Counter(row["kind"] for row in fails)
    assert accepted <= 0.01 * wrong
