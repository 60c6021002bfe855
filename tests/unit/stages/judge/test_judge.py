"""What a judge is shown, what is asked of the engine, and what becomes of an answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import EngineConfig, SamplingConfig, parse_config
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import IMAGE_TOKEN, ScriptedEngine
from pipeline.errors import RowError, UserError
from pipeline.prompts import prompt_file
from pipeline.records import Image, Problem, problem_row
from pipeline.schemas import PROBLEM_SCHEMA, table
from pipeline.seeds import base_seed
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.annotate.nodes import Wanted
from stages.annotate.sample import Template
from stages.judge.answer import answer_schema, longest
from stages.judge.budget import Spent
from stages.judge.config import JudgeConfig, JudgingConfig
from stages.judge.judge import Chain, Judge, judge_key, judge_solution, question_text, read_chains, with_schemas
from stages.judge.records import JudgedSolution
from stages.judge.run import read_template
from stages.judge.trial import SEEDS
from tests.stub_server import Stub, running
from tests.unit.stages.publish.test_dataset import write_run

PROBLEM = Problem("pid", "s", "r", "How many <image>?", "4", (Image.of(b"x"),), (), ("number",), 1, "p")
CHAIN = Chain("pid/k/s0", ("Two and two.\n\n", "See <image>.\n\n", "Final answer: 4"))
TEMPLATE = Template(prompt_file("judge_v1.txt").read_text(encoding="utf-8"))


class Recording(ScriptedEngine):
    """Remembers its requests; answers what it is told to, or what the schema and the seeds give."""

    def __init__(self, *texts: str, refuses: bool = False) -> None:
        super().__init__(EngineConfig(kind="scripted", max_model_len=1 << 16))
        self.texts, self.refuses = texts, refuses
        self.requests: list[tuple[Prompt, SamplingConfig, int, int, int]] = []

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        n: int,
        seed: int,
        max_tokens: int,
        *,
        stop: str | None = None,
    ) -> list[Completion]:
        self.requests.append((prompt, sampling, n, seed, max_tokens))
        if self.refuses:
            raise RowError("prompt_too_long", "9 tokens")
        if self.texts:
            return [self._completion(text, seed + j, max_tokens) for j, text in enumerate(self.texts)]
        return await super().generate(prompt, sampling, n, seed, max_tokens)


def asked(engine: Recording, config: JudgingConfig, seed: int = 0) -> JudgedSolution:
    return asyncio.run(judge_solution(PROBLEM, CHAIN, TEMPLATE, "key", engine, seed, config))


def test_the_judge_sees_problem_picture_and_numbered_steps_and_the_answer_only_if_it_is_to() -> None:
    text = question_text(PROBLEM, CHAIN.steps, TEMPLATE, show_answer=False)
    assert "How many <image>?" in text
    assert "Step 1: Two and two.\n\nStep 2: See image.\n\nStep 3: Final answer: 4\n" in text
    assert "Right answer" not in text
    assert "Right answer:\n4\n" in question_text(PROBLEM, CHAIN.steps, TEMPLATE, show_answer=True)


def test_a_text_with_braces_is_shown_as_it_is() -> None:
    odd = dataclasses.replace(PROBLEM, question="{steps} {answer}")
    assert "{steps} {answer}" in question_text(odd, CHAIN.steps, TEMPLATE, show_answer=True)


def test_what_is_asked_follows_from_the_steps_and_the_settings() -> None:
    engine, config = Recording(), JudgingConfig(votes=3, reason_characters=20)
    found = asked(engine, config, seed=7)
    (prompt, sampling, n, seed, max_tokens), *more = engine.requests
    assert not more
    assert prompt.token_ids.count(IMAGE_TOKEN) == 1
    assert (n, seed) == (3, base_seed(7, "pid", "k", "s0", "key"))
    assert (max_tokens, prompt.schema) == (longest(3, 20), answer_schema(3, 20))
    assert sampling.temperature == config.temperature
    assert [vote.seed for vote in found.votes] == [seed, seed + 1, seed + 2]
    assert all(vote.steps is not None and len(vote.steps) == 3 for vote in found.votes)


def test_a_single_vote_takes_the_likeliest_token() -> None:
    engine = Recording()
    asked(engine, JudgingConfig())
    assert engine.requests[0][1].temperature == 0


def test_more_votes_add_to_those_before() -> None:
    two, three = (asked(Recording(), JudgingConfig(votes=votes)).votes for votes in (2, 3))
    assert list(three)[:2] == list(two)


def test_an_answer_that_was_cut_or_is_of_another_form_is_unread() -> None:
    step = {"verdict": "correct", "category": "none"}
    good = json.dumps({"steps": [step] * 3})
    engine = Recording(good, good + " " * 1000, '{"steps": []}', "It is right.")
    found = asked(engine, JudgingConfig(votes=4, reason_characters=0))
    assert [vote.unread for vote in found.votes] == [None, "cut", "other_form", "no_json"]
    assert [vote.steps is None for vote in found.votes] == [False, True, True, True]


def test_a_prompt_that_the_model_cannot_take_is_the_solutions_error() -> None:
    found = asked(Recording(refuses=True), JudgingConfig())
    assert (found.error, found.votes) == ("prompt_too_long: 9 tokens", ())


def test_another_question_has_other_seeds_and_more_votes_have_not() -> None:
    plain, shown = JudgingConfig(), JudgingConfig(show_answer=True)
    thinks = {"enable_thinking": False}
    keys = {judge_key("m", TEMPLATE, *one) for one in ((plain, {}), (shown, {}), (plain, thinks))}
    assert len(keys) == 3
    assert judge_key("m", TEMPLATE, JudgingConfig(votes=5), {}) == judge_key("m", TEMPLATE, plain, {})


def test_the_key_of_a_judge_without_arguments_for_its_chat_template_is_what_it_was() -> None:
    assert judge_key("m", Template("{question} {steps}"), JudgingConfig(), {}) == "55e3f1471c4c"


def test_chains_are_read_from_the_ledger_without_draws(tmp_path: Path) -> None:
    run = Path(write_run(tmp_path / "one", "p1"))
    (path,) = (run / "annotations").iterdir()
    ids = sorted(Store(str(run)).problem_ids())[:2]
    found = read_chains([{"problem_id": key, "given": str(path)} for key in ids] + [{"problem_id": "x", "given": None}])
    assert sorted(found) == ids
    policy, chains = found[ids[0]]
    assert policy == "p1"
    assert [chain.solution_id for chain in chains] == [f"{ids[0]}/p1/s{index}" for index in range(4)]
    assert all("".join(chain.steps).startswith("Step 0: ") for chain in chains)


def test_a_block_becomes_a_row_a_problem_whatever_becomes_of_each(tmp_path: Path) -> None:
    run = Path(write_run(tmp_path / "one", "p1"))
    (path,) = (run / "annotations").iterdir()
    rows = [row for file in sorted((run / "problems").iterdir()) for row in pq.read_table(file).to_pylist()]
    block = table([*rows, problem_row(PROBLEM)], PROBLEM_SCHEMA)
    given = [str(path)] * len(rows) + [None]
    block = block.append_column("given", pa.array(given, pa.string()))
    settings = parse_config({"name": "x", "sources": [{"name": "a", "path": "r"}], "run_dir": str(tmp_path / "judged")})
    engine = EngineConfig(kind="scripted", max_model_len=1 << 16)
    config = settings.model_copy(update={"engine": engine})

    async def judged() -> list[dict[str, Any]]:
        judge = Judge(config, JudgingConfig(reason_characters=10), TEMPLATE.text, "scripted", None, Spent())
        return [row async for rows in judge(block) for row in rows.to_pylist()]

    found = asyncio.run(judged())
    assert found == asyncio.run(judged())
    assert [row["problem_id"] for row in found] == block["problem_id"].to_pylist()
    assert [row["error"] for row in found] == [None] * len(rows) + ["no_solutions"]
    assert all(len(row["solutions"]) == 4 for row in found[:-1])
    votes = [vote for row in found for one in row["solutions"] for vote in one["votes"]]
    assert {vote["unread"] for vote in votes} == {None}
    assert sum(row["num_tokens"] for row in found) == sum(vote["num_tokens"] for vote in votes)
    assert {row["judge_model"] for row in found} == {"scripted"}


@pytest.mark.parametrize("writes", ["json", "text"])
def test_on_a_cluster_an_actor_has_its_servers_tried_before_its_first_block(tmp_path: Path, writes: Any) -> None:
    settings = parse_config({"name": "x", "sources": [{"name": "a", "path": "r"}], "run_dir": str(tmp_path)})
    Store(str(tmp_path)).write_text("nodes/driver", "word")
    wanted = Wanted(str(tmp_path), "word", {}, None)
    block = table([problem_row(PROBLEM)], PROBLEM_SCHEMA)

    async def judged(judge: Judge) -> list[dict[str, Any]]:
        return [row for _ in range(2) async for rows in judge(block) for row in rows.to_pylist()]

    with running(Stub(model="a-judge", writes=writes)) as stub:
        engine = EngineConfig(kind="server", api="openai", model="a-judge", urls=(stub.url,))
        config = settings.model_copy(update={"engine": engine})
        judge = Judge(config, JudgingConfig(), TEMPLATE.text, "a-judge", None, Spent(), wanted)
        stub.begin()
        if writes == "text":
            with pytest.raises(UserError, match=r"engine\.urls: the judge's answers don't fit a schema"):
                asyncio.run(judged(judge))
            return
        assert [row["error"] for row in asyncio.run(judged(judge))] == ["no_solutions"] * 2
        assert [body["n"] for body in stub.bodies] == [SEEDS], "it is tried once"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prompt": "{question}"}, "has no {steps}, so the judge would not see it"),
        ({"prompt": "{question} {steps}", "show_answer": True}, "has no {answer}"),
    ],
)
def test_a_prompt_without_what_is_to_be_judged_is_refused(tmp_path: Path, settings: dict, words: str) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text(settings.pop("prompt"))
    config = parse_settings(JudgeConfig, {"name": "j", "judge": {"prompt": str(path), **settings}})
    with pytest.raises(Exception, match=words):
        read_template(config)


def test_vllm_is_told_to_write_no_blanks_unless_the_settings_say_how() -> None:
    said = with_schemas(EngineConfig()).args
    assert said["structured_outputs_config"] == {"backend": "xgrammar", "disable_any_whitespace": True}
    own = {"structured_outputs_config": {"backend": "guidance"}}
    assert with_schemas(EngineConfig(args=own)).args == own
    assert with_schemas(EngineConfig(kind="scripted")).args == {}
    assert with_schemas(EngineConfig(kind="server", urls=("http://a:1",), dtype="float32")).args == {}
