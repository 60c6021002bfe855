"""Whether a judge's servers answer by a schema, asked before anything is judged."""

from __future__ import annotations

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Engine, Prompt, make_engine
from pipeline.errors import RowError, UserError
from stages.judge.answer import answer_schema, longest, read_answer

STEPS, REASON = 2, 12
SEEDS = 4
"""Answers that are looked at: a server whose setting is wrong may do the right thing once."""
_TEXT = "Question: what is 1 + 1?\n\nStep 1: 1 + 1 = 2.\n\nStep 2: So the answer is 2.\n\nJudge each step."
_MENDS = {
    "vllm": """start the servers with --structured-outputs-config '{"backend": "xgrammar", "disable_any_whitespace": true}'""",
    "openai": "take a server that heeds response_format with a JSON schema",
}


async def check_schema(config: EngineConfig) -> None:
    """As `check_answers`, with an engine of its own.

    Raises:
        UserError: as `check_answers`.
    """
    engine = make_engine(config)
    try:
        await check_answers(engine, config)
    finally:
        await engine.close()


async def check_answers(engine: Engine, config: EngineConfig) -> None:
    """Asks the servers behind `engine`, which has these settings.

    Raises:
        UserError: an answer does not fit the schema that was asked for, or never ends.
    """
    most = longest(STEPS, REASON)
    prompt = Prompt(engine.chat(_TEXT, 0), (), 1, schema=answer_schema(STEPS, REASON))
    try:
        found = await engine.generate(prompt, SamplingConfig(max_tokens=most), SEEDS, 1, most)
    except RowError as error:
        raise UserError(
            f"engine.urls: the judge refuses a request with a schema ({error}): {_MENDS[config.api]}"
        ) from error
    for one in found:
        fault = "cut" if one.finish_reason == "length" else read_answer(one.text, STEPS, REASON)
        if isinstance(fault, str):
            raise UserError(f"engine.urls: the judge's answers don't fit a schema ({fault}): {_MENDS[config.api]}")
