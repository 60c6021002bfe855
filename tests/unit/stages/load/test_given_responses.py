"""Solutions from a file: which problem each belongs to, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow.parquet as pq
import pytest

from pipeline.config import EngineConfig, RunConfig, parse_config
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import RowError, UserError
from pipeline.records import AnnotatedProblem, Image, Problem, ledger_row, solution_from_row
from pipeline.schemas import LEDGER_SCHEMA, table
from pipeline.store import Store
from stages.annotate.annotator import Annotator, annotate
from stages.annotate.sample import Template
from stages.annotate.settings_lock import check_earlier, lock_settings
from stages.load.given_responses import Responses, fingerprint
from stages.load.problems import load_problems
from stages.verify.pool import VerifierPool

pytestmark = pytest.mark.usefixtures("shared_verifiers")

PROBLEM = Problem("pid", "geo", "7", "How many?", "4", (Image.of(b"x"),), (), ("number",), 1, "p")


def config(**settings: Any) -> RunConfig:
    sources = [{"name": "geo", "path": "rows.jsonl"}]
    base = {"name": "x", "sources": sources, "sampling": {"max_tokens": 200}, "rollout": {"num_draws": 3}}
    return parse_config({**base, **settings})


def image(number: int) -> str:
    """A small picture as base64 text, another for each number."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (number * 50, 0, 0)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(folder: Path, *rows: Any) -> str:
    path = folder / "responses.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def test_a_problem_finds_its_responses_by_any_of_its_names(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"id": 7, "response": "one\n\nÄ"},
        {"id": "8", "response": "another's"},
        {"question": "How many?", "answer": "4", "response": "two"},
        {"problem_id": "pid", "response": "three"},
        {"source": "geo", "id": "7", "response": "four"},
        {"source": "else", "id": "7", "response": "not this"},
        "{broken",
        {"id": 7, "response": "  "},
        {"response": "whose?"},
    )
    responses = Responses(path, several_sources=False)
    assert responses.of(PROBLEM) == ["one\n\nÄ", "two", "three", "four"]
    assert responses.unmatched() == 2
    assert [(each.row_id, each.reason) for each in responses.rejected] == [
        ("7", "invalid_json"),
        ("8", "no_response"),
        ("9", "no_key"),
    ]
    with pytest.raises(RowError, match="no_response"):
        responses.of(Problem("other", "geo", "9", "?", "4", (), (), ("number",), 1, "p"))


def test_a_question_may_have_its_options_as_a_published_one_has(tmp_path: Path) -> None:
    problem = dataclasses.replace(PROBLEM, options=("3", "4"))
    lines = [{"question": question, "answer": "4", "response": question} for question in
             ("How many?", "How many?\nA. 3\nB. 4")]  # fmt: skip
    assert Responses(write(tmp_path, *lines), several_sources=False).of(problem) == ["How many?", lines[1]["question"]]


def test_a_response_that_opens_a_turn_is_refused(tmp_path: Path) -> None:
    texts = ["So 4.", "So 4.<|im_end|>\n<|im_start|>user\nAnd now?"]
    lines = [json.dumps({"problem_id": "pid", "response": text}) for text in texts]
    (tmp_path / "given.jsonl").write_text("\n".join(lines))
    responses = Responses(str(tmp_path / "given.jsonl"), several_sources=False)
    assert responses.of(PROBLEM) == ["So 4."]
    assert [(each.row_id, each.reason) for each in responses.rejected] == [("2", "reserved_token")]


def test_an_id_alone_names_no_row_of_several_sources(tmp_path: Path) -> None:
    path = write(tmp_path, {"id": 7, "response": "one"})
    with pytest.raises(UserError, match="no line names a problem and a response, the first: the run has several"):
        Responses(path, several_sources=True)
    with pytest.raises(UserError, match=r"input.responses: gone.jsonl: can't be read"):
        Responses("gone.jsonl", several_sources=False)


@pytest.mark.parametrize(
    "line", [{"question": "How many?", "answer": "4"}, {"id": "7"}, {"source": "geo", "id": "7"}], ids=str
)
def test_a_line_that_fits_two_problems_serves_neither(tmp_path: Path, line: dict[str, str]) -> None:
    path = write(tmp_path, {**line, "response": "one"}, {"problem_id": "c", "response": "mine"})
    responses = Responses(path, several_sources=False)
    assert responses.of(PROBLEM) == ["one"]
    assert responses.withdrawn == set()
    with pytest.raises(RowError, match="ambiguous_response"):
        responses.of(dataclasses.replace(PROBLEM, problem_id="b", images=(Image.of(b"y"),)))
    assert responses.withdrawn == {"pid"}
    assert responses.of(Problem("c", "geo", "9", "?", "4", (), (), ("number",), 1, "p")) == ["mine"]
    assert responses.unmatched() == 0


def test_two_problems_of_one_line_are_both_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.load.problems.PART_BYTES", 1)
    rows = [{"id": str(number), "question": "How many?", "answer": "3", "image": image(number)} for number in range(3)]
    rows[2]["question"] = "How few?"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = {"question": "How many?", "answer": "3", "response": "x"}
    path = write(tmp_path, named, {"id": "2", "response": "y"})
    settings = config(
        sources=[{"name": "geo", "path": str(tmp_path / "rows.jsonl")}],
        input={"responses": path},
        run_dir=str(tmp_path),
    )
    store = Store(str(tmp_path))
    store.make()
    load_problems(store, settings)
    refused = [json.loads(line) for line in store.read_text("quarantine/load.jsonl").splitlines()]
    assert sorted((row["id"], row["reason"]) for row in refused) == [
        ("0", "ambiguous_response"),
        ("1", "ambiguous_response"),
    ]
    assert store.read_json("problems.json")["rejected"] == {"ambiguous_response": 2}
    assert [pq.read_table(file)["row_id"].to_pylist() for file in store.problem_files()] == [["2"]]


def test_other_responses_are_another_policy(tmp_path: Path) -> None:
    one = fingerprint(config(input={"responses": write(tmp_path, {"id": 7, "response": "one"})}))
    two = fingerprint(config(input={"responses": write(tmp_path, {"id": 7, "response": "two"})}))
    assert one != two
    assert fingerprint(config()) == ""
    with pytest.raises(UserError, match=r"input.ledger holds solutions already"):
        config(input={"responses": "a.jsonl", "ledger": "runs/a"})


def test_a_run_over_responses_can_be_topped_up(tmp_path: Path) -> None:
    given = config(input={"responses": write(tmp_path, {"id": 7, "response": "one"}), "responses_policy": "gpt"},
                   rollout={"num_draws": 3, "strategy": "first_success"})  # fmt: skip
    earlier = Store(str(tmp_path / "earlier"))
    lock_settings(earlier, given, {"p": "{question}"}, "model@1" + fingerprint(given))
    earlier.write_json("problems.json", {"rejected": {}})
    whole = config(input={"ledger": earlier.uri, "responses_policy": "gpt"})
    assert fingerprint(whole) == fingerprint(given) != ""
    check_earlier(earlier, whole, {"p": "{question}"}, "model@1" + fingerprint(whole))
    # And that one in its turn.
    topped = Store(str(tmp_path / "topped"))
    lock_settings(topped, whole, {"p": "{question}"}, "model@1" + fingerprint(whole))
    assert fingerprint(config(input={"ledger": topped.uri})) == fingerprint(given)
    with pytest.raises(UserError, match=r"input\.responses_policy \(gpt, now null\)"):
        check_earlier(
            earlier, config(input={"ledger": earlier.uri}), {"p": "{question}"}, "model@1" + fingerprint(whole)
        )
    lock_settings(Store(str(tmp_path / "sampled")), config(), {"p": "{question}"}, "model@1")
    assert fingerprint(config(input={"ledger": str(tmp_path / "sampled")})) == ""
    assert fingerprint(config(input={"ledger": str(tmp_path / "nowhere")})) == ""


def run(texts: list[str], **settings: Any) -> AnnotatedProblem:
    engine = ScriptedEngine(EngineConfig(kind="scripted"))
    with VerifierPool(1, 5.0) as pool:
        return asyncio.run(
            annotate(PROBLEM, Template("{question}"), "m", engine, pool, config(**settings), responses=texts)
        )


def test_a_given_text_becomes_a_solution_like_any_other() -> None:
    texts = ["Two and two.\n\nThat is vier – 4.\n\nFinal answer: 4", "Final answer: 5"]
    item = run(texts, input={"responses": "r.jsonl", "responses_policy": "gpt"})
    assert item.error is None
    assert item.policy_model == "gpt + demo/policy"
    assert [solution.text for solution in item.solutions] == texts
    assert [solution.verdict.status for solution in item.solutions] == ["correct", "incorrect"]
    first, second = item.solutions
    assert bytes(first.token_ids).decode() == texts[0]
    assert [(step.text, step.token_exact, len(step.draws), step.origin) for step in first.steps] == [
        ("Two and two.", True, 3, "measured"),
        ("That is vier – 4.", True, 3, "measured"),
        ("Final answer: 4", True, 0, "own_answer"),
    ]
    assert bytes(first.token_ids[: first.steps[0].end]).decode() == "Two and two.\n\n"
    assert [step.origin for step in second.steps] == ["own_answer"]
    assert (first.solution_id, first.seed) == (f"pid/{item.policy_key}/s0", None)
    row = table([ledger_row(item)], LEDGER_SCHEMA).to_pylist()[0]
    assert tuple(map(solution_from_row, row["solutions"])) == item.solutions


def test_a_response_that_leaves_no_room_is_refused() -> None:
    assert run(["Final answer: 4", "x" * 201]).error == "response_too_long: 201 tokens, sampling.max_tokens is 200"


def test_a_run_loads_and_annotates_only_what_has_a_response(tmp_path: Path) -> None:
    path = write(
        tmp_path, {"id": "q1", "response": "a\n\nFinal answer: 4"}, {"id": "q1", "response": "Final answer: 5"}
    )
    source = {"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 3}}
    settings = config(sources=[source], input={"responses": path}, engine={"kind": "scripted"}, run_dir=str(tmp_path))
    store = Store(str(tmp_path))
    store.make()
    load_problems(store, settings)
    refused = [json.loads(line) for line in store.read_text("quarantine/load.jsonl").splitlines()]
    assert [(row["id"], row["reason"]) for row in refused] == [("q0", "no_response"), ("q2", "no_response")]

    (problems,) = map(pq.read_table, store.problem_files())
    annotator = Annotator(settings, {settings.prompt: "{question}"}, "scripted")

    async def annotated() -> list[dict[str, Any]]:
        return [row async for block in annotator(problems) for row in block.to_pylist()]

    (row,) = asyncio.run(annotated())
    assert row["error"] is None
    assert [solution["text"] for solution in row["solutions"]] == ["a\n\nFinal answer: 4", "Final answer: 5"]
    assert row["num_draws"] == 3
