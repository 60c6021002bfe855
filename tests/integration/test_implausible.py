"""A run whose answers are all wrong, all cut, or none: told wherever a person looks, and ended early where a limit says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.publish.reading import read_rows
from tests.integration.conftest import Command, scripted

pytestmark = pytest.mark.integration

ENDINGS = {"Wrong": "Final answer: 7", "Long": "x" * 300, "Open": "I can't tell."}
"""What every response to a question with this word ends with; the answer is 4, and 100 tokens are the most."""
WARNINGS = (
    "no right answer in long, open, wrong",
    "are cut at the token limit, above all in long",
    "hold no answer in open",
)


def blocks(folder: Path) -> set[str]:
    """The committed parts of a run's ledger."""
    return {path.name for path in (folder / "run" / "checkpoint").glob("*.parquet") if ".pending." not in path.name}


def test_what_cannot_be_right_is_told_in_four_places_and_limits_end_a_run(visualprm: Command, tmp_path: Path) -> None:
    config = scripted(
        tmp_path,
        sources=[
            {
                "name": word.lower(),
                "function": "tests.integration.rows:rows",
                "kwargs": {"count": 20, "word": word},
            }
            for word in (*ENDINGS, "Right")
        ],
        # Slow, and few problems at once: behind some of each source that is warned of, the rest takes more than the 30 s
        # between two lines of progress, however busy the machine is.
        engine={
            "kind": "scripted",
            "max_in_flight": 4,
            "args": {"endings": ENDINGS, "engine_tokens_per_second": 700},
        },
        ray={"rows_per_block": 1},
        sampling={"num_solutions": 2, "max_tokens": 100},
        rollout={"num_draws": 2, "max_truncated": None},
    )
    limits = ["limits.truncated=0.2", "limits.min_draws=100"]

    ended = visualprm("dataset", config, *limits)
    assert ended.returncode == 2, ended.stderr[-3000:]
    *_, line = ended.stderr.strip().splitlines()
    assert "ended early by limits.truncated=0.2" in line
    assert "raise limits.truncated or set it to null, and the same command resumes" in line
    assert "Traceback" not in ended.stderr
    assert "pending" in visualprm("status", tmp_path / "run").stdout
    committed = blocks(tmp_path)
    assert committed
    again = visualprm("dataset", config, *limits)
    assert (again.returncode, "ended early by limits.truncated=0.2" in again.stderr) == (2, True)
    # On a slow machine the first run left fewer draws than `limits.min_draws` in the ledger, and the second one drew some more.
    assert committed <= blocks(tmp_path)

    done = visualprm("dataset", config, "limits.truncated=null")
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(blocks(tmp_path)) > len(committed)
    card = (tmp_path / "data" / "README.md").read_text()
    status = visualprm("status", tmp_path / "run").stdout
    progress = next(
        line for line in reversed(done.stderr.splitlines()) if " of 80 problems, " in line and "warning" in line
    )
    for name, text in {"progress": progress, "summary": done.stdout, "card": card, "status": status}.items():
        missing = [words for words in WARNINGS if words.lower() not in text.lower()]
        assert not missing, f"{name}: {missing}: {text}"
    for text in (done.stderr, done.stdout, card, status):
        assert "raise sampling.max_tokens" in text
        assert "visualprm check CONFIG" in text

    # No model wrote this, and what did is named.
    assert "demo/policy" not in card
    assert {row["policy_model"] for row in read_rows(str(tmp_path / "data"))} == {"scripted"}
    stats = json.loads((tmp_path / "data" / "stats.json").read_text())
    (engine,) = stats["engines"]
    assert (engine["kind"], engine["model"], engine["versions"]["vllm"]) == ("scripted", "scripted", None)
    assert engine["versions"]["ray"]
    assert len(stats["verifiers"]) == 1


def test_a_run_with_two_in_five_draws_cut_begins_no_problem_after_60(visualprm: Command, tmp_path: Path) -> None:
    words = {"Right": 72, "Long": 48}
    sources = [
        {"name": word.lower(), "function": "tests.integration.rows:rows", "kwargs": {"count": count, "word": word}}
        for word, count in words.items()
    ]
    config = scripted(
        tmp_path,
        sources=sources,
        engine={"kind": "scripted", "max_in_flight": 8, "args": {"endings": ENDINGS}},
        ray={"rows_per_block": 1},
        sampling={"num_solutions": 2, "max_tokens": 200},
        rollout={"num_draws": 2},
    )
    ended = visualprm("dataset", config)
    assert ended.returncode == 2, ended.stderr[-3000:]
    *_, line = ended.stderr.strip().splitlines()
    assert "ended early by rollout.max_truncated=0.25: " in line
    assert "raise sampling.max_tokens (and engine.max_model_len with it)" in line
    assert 50 <= len(blocks(tmp_path)) <= 60
    assert " draws (" in visualprm("status", tmp_path / "run").stdout
