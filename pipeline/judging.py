"""How a run judges a response: by its own modes, or as the reference pipeline would (`verify.compat`)."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import RunConfig
from pipeline.records import FinishReason, Problem, Verdict
from stages.verify.compat import prompt_version, reference_modes

if TYPE_CHECKING:
    from stages.verify.pool import VerifierPool


def judge(
    problem: Problem, response: str, finish_reason: FinishReason, prompt: str, pool: VerifierPool, config: RunConfig
) -> Awaitable[Verdict]:
    """The verdict on a whole response, which is begun here and can be awaited.

    `prompt` is the text of the problem's prompt file: the reference looks for an answer in the form that it asked
    for. Its modes follow from the name of the source's file; it judges a response that the token limit cut like any
    other.
    """
    if config.verify.compat == "internvl":
        modes = reference_modes(_file_name(problem.source, config))
        return pool.begin_reference(problem.answer, response, modes, prompt_version(prompt))
    return pool.begin(problem.answer, response, problem.verify, problem.options, problem.question, finish_reason)


def _file_name(source: str, config: RunConfig) -> str:
    """The name of the source's file without its suffix; the source's own name where it has no file."""
    paths = (item.path for item in config.sources if item.name == source)
    path = next(paths, None)
    return Path(path).stem if path else source
