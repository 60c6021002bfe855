"""Real vLLM on the CPU with the demo policy: the promises that everything else rests on."""

from __future__ import annotations

import asyncio
import random
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image as PillowImage

from benchmarks.kills import digests, run_with_kills
from demo.benchmark import problems
from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Engine, Prompt, make_engine
from pipeline.engine.vllm import SCHEMA_ARGS
from pipeline.errors import RowError
from pipeline.records import SEPARATOR, Image, Problem
from stages.annotate.sample import Template
from stages.evaluate.critic import Item
from stages.evaluate.prompted import PromptedCritic
from stages.judge.config import JudgingConfig
from stages.judge.judge import Chain, judge_solution
from stages.judge.records import JudgedSolution
from stages.split import boundaries, spans, split
from tests.integration.conftest import run
from tests.places import ROOT

SAMPLING = SamplingConfig(max_tokens=128)
TEMPLATE = (ROOT / "prompts" / "demo_v1.txt").read_text()


@dataclass
class Running:
    """An engine and the event loop that it lives in."""

    engine: Engine
    do: Callable[[Awaitable[Any]], Any]

    def prompt(self, index: int) -> Prompt:
        row = list(problems(count=index + 1))[index]
        ids = self.engine.chat(TEMPLATE.replace("{question}", row["question"]), 1)
        return Prompt(ids, (Image.of(row["image"]),), 1)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    loop = asyncio.new_event_loop()
    # As a judge has it; answers without a schema are the same.
    engine = make_engine(EngineConfig(model=str(ROOT / "demo" / "policy"), args=dict(SCHEMA_ARGS)))
    yield Running(engine, loop.run_until_complete)
    inner = weakref.ref(engine._llm)  # type: ignore[attr-defined]
    loop.run_until_complete(engine.close())
    loop.close()
    assert inner() is None, "finalised at the interpreter's end, which it doesn't survive without complaint"


def test_rounds_in_any_company_give_the_draws_of_one_request(running: Running) -> None:
    engine, prompts = running.engine, [running.prompt(index) for index in range(4)]

    async def rounds() -> list:
        parts = [engine.generate(prompts[0], SAMPLING, n, seed, 128) for n, seed in ((2, 50), (3, 52), (3, 55))]
        others = [engine.generate(prompt, SAMPLING, 8, 9, 128) for prompt in prompts[1:]]
        return (await asyncio.gather(*parts, *others))[:3]

    whole = running.do(engine.generate(prompts[0], SAMPLING, 8, 50, 128))
    parts = running.do(rounds())
    assert [completion for part in parts for completion in part] == whole
    assert len({completion.text for completion in whole}) > 1
    assert engine.gauges.prefix_exact is True
    inside: Any = engine
    assert inside._llm.vllm_config.scheduler_config.policy == "priority"


def test_token_spans_cut_solutions_at_steps(running: Running) -> None:
    for completion in running.do(running.engine.generate(running.prompt(1), SAMPLING, 4, 7, 128)):
        steps = split(completion.text, 12)
        ends = running.engine.ends(completion.token_ids)
        assert ends[-1] == len(completion.text)
        position = 0
        for step, span in zip(steps, spans(ends, boundaries(completion.text, steps)), strict=True):
            assert span.exact
            piece = completion.text[position : ends[span.end - 1]]
            assert piece.removesuffix(SEPARATOR) == step
            position = ends[span.end - 1]


def test_a_continuation_depends_on_the_prefix_and_the_seed_alone(running: Running) -> None:
    engine, prompt = running.engine, running.prompt(2)
    (solution,) = running.do(engine.generate(prompt, SAMPLING, 1, 3, 128))
    end = spans(engine.ends(solution.token_ids), boundaries(solution.text, split(solution.text, 12)))[0].end
    prefix = Prompt(prompt.token_ids + solution.token_ids[:end], prompt.images, 1)
    first = running.do(engine.generate(prefix, SAMPLING, 4, 11, 100))
    again = running.do(engine.generate(prefix, SAMPLING, 4, 11, 100))
    assert first == again


def test_any_text_survives_the_tokenizer(running: Running) -> None:
    for text in ("已知 $\\frac{1}{2}$ 与 \\sqrt{3}", "naïve 😀\n\n  x", "求∠ABC的度数。"):
        ids = running.engine.encode(text)
        assert running.engine.ends(ids)[-1] == len(text)


def test_many_images_keep_their_places(running: Running) -> None:
    rows = list(problems(count=2))
    images = tuple(Image.of(row["image"]) for row in rows)
    ids = running.engine.chat("First <image> then <image>: which?", 2)
    one, other = (
        running.do(running.engine.generate(Prompt(ids, order, 1), SAMPLING, 4, 5, 32))
        for order in (images, images[::-1])
    )
    assert one != other


def test_a_prompt_beyond_the_context_is_a_row_error(running: Running) -> None:
    prompt = Prompt(running.engine.encode("word " * 5000), (), 1)
    with pytest.raises(RowError, match="prompt_too_long"):
        running.do(running.engine.generate(prompt, SAMPLING, 1, 0, 10))


@pytest.mark.parametrize("judging", ["all", "each"])
def test_a_critic_asked_in_words_is_not_believed_when_it_babbles(running: Running, judging: Any) -> None:
    """The demo's policy was taught to solve, not to judge: the question and picture reach it, and no step gets a score."""
    row = next(iter(problems(count=1)))
    item = Item(row["question"], (row["image"],), ("The bars are 3 and 4.", "So the answer is 7."))
    template = (ROOT / "prompts" / f"critic_{judging}_v2.txt").read_text()
    critic = PromptedCritic(running.engine, template, judging, max_tokens=64, max_tiles=1, in_flight=2, seed=0)
    (judged,) = running.do(critic._all([item]))
    assert judged.scores == [None, None]
    assert set(judged.failures) <= {"unparsable", "truncated"}
    assert judged.failures.total() == 2


def test_every_answer_by_a_schema_that_is_not_cut_can_be_read(running: Running) -> None:
    """The demo's policy judges nonsense, in the form that is asked for."""
    config = JudgingConfig(votes=4, reason_characters=40)
    template = Template((ROOT / "prompts" / "judge_v1.txt").read_text())

    async def judged() -> list[JudgedSolution]:
        asked = []
        for index, row in enumerate(problems(count=4)):
            image = Image.of(row["image"])
            one = Problem(f"p{index}", "demo", row["id"], row["question"], "7", (image,), (), ("number",), 1, "p")
            (drawn,) = await running.engine.generate(running.prompt(index), SAMPLING, 1, 3, 128)
            chain = Chain(f"p{index}/k/s0", tuple(split(drawn.text, 12))[:4])
            asked.append(judge_solution(one, chain, template, "k", running.engine, 0, config))
        return await asyncio.gather(*asked)

    found = running.do(judged())
    assert [one.error for one in found] == [None] * 4
    votes = [(vote, one.num_steps) for one in found for vote in one.votes]
    assert {vote.unread for vote, _ in votes} <= {None, "cut"}
    read = [(vote.steps, steps) for vote, steps in votes if vote.steps is not None]
    assert len(read) >= len(votes) / 2
    assert all(len(said) == steps for said, steps in read)
    assert found == running.do(judged()), "seeds decide"


def demo(folder: Path) -> list[str]:
    """The words of a command that builds a small dataset of the demo there."""
    places = [f"run_dir={folder / 'run'}", f"output_dir={folder / 'data'}"]
    small = ["sources.0.kwargs.count=16", "rollout.num_draws=8", "ray.rows_per_block=2", "engine.max_in_flight=4"]
    return ["dataset", "configs/demo.yaml", *small, *places]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(*demo(folder), timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "data"


def test_the_demo_loads_with_datasets(whole: Path, tmp_path: Path) -> None:
    dataset = datasets.load_dataset("parquet", data_dir=str(whole), split="train", cache_dir=str(tmp_path))
    assert len(dataset) == 16 * 4
    assert isinstance(dataset[0]["images"][0], PillowImage.Image)
    scores = [step["score"] for row in dataset for step in row["steps_with_score"]]
    assert min(scores) == 0
    assert max(scores) == 1


@pytest.mark.more
@pytest.mark.timeout(3600)
def test_the_demo_survives_a_killed_engine(whole: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", *demo(tmp_path)]
    checkpoint = tmp_path / "run" / "checkpoint"
    status, kills = run_with_kills(
        command, tmp_path / "log", 1, random.Random(0), (0, 1), ("engine",), lambda: any(checkpoint.glob("*.parquet"))
    )
    assert status == 0, (tmp_path / "log").read_text()[-3000:]
    assert kills == {"engine": 1}
    assert digests(whole) == digests(tmp_path / "data")
