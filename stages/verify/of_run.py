"""How a run judges a response: by its own modes, or as the reference pipeline would (`verify.compat`)."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.records import FinishReason, Problem, Verdict
from stages.verify.compat import prompt_version, reference_modes
from stages.verify.references import begin_each

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

        def by_reference(gold: str) -> Awaitable[Verdict]:
            return pool.begin_reference(gold, response, modes, prompt_version(prompt))

        return begin_each(problem.answer, problem.references, by_reference)

    def begin(gold: str) -> Awaitable[Verdict]:
        return pool.begin(gold, response, problem.verify, problem.options, problem.question, finish_reason)

    return begin_each(problem.answer, problem.references, begin)


def check_reference(config: RunConfig) -> None:
    """Sources with parts must leave no doubt by which modes the reference judges a part.

    Raises:
        UserError: they have files for which it has different ones.
    """
    if config.verify.compat != "internvl":
        return
    parted = [source for source in config.sources if source.fields.source is not None]
    modes = {source.path and reference_modes(Path(source.path).stem) for source in parted}
    if len(modes) > 1:
        raise UserError(
            f"verify.compat=internvl: a problem of {', '.join(source.name for source in parted)} is named by its part "
            "(fields.source), not by its source, and the reference judges these sources' files differently: put them in "
            "separate runs"
        )


def _file_name(source: str, config: RunConfig) -> str:
    """The name of the file that holds a published source, without its suffix; `source` itself where there is none."""
    named = [item.path for item in config.sources if item.name == source]
    of_parts = [item.path for item in config.sources if item.fields.source is not None]
    path = next(iter(named or of_parts), None)
    return Path(path).stem if path else source
