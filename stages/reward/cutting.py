"""How a response is cut for a reward model: as the dataset was that it learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import RowError, UserError
from stages.reward.config import PrmConfig
from stages.split import check_kind, steps_of


def cut(response: str, config: PrmConfig, max_steps: int | None = None) -> tuple[list[str], frozenset[int]]:
    """The steps of a response, and which of them are context; `max_steps` takes the place of the dataset's number.

    Raises:
        RowError: a function of the dataset's maker can't cut it, or it has no step that the model could judge.
    """
    found = steps_of(response, config.split, max_steps)
    return [piece.text for piece in found], context_of([piece.context for piece in found], config)


def context_of(context: Sequence[bool], config: PrmConfig) -> frozenset[int]:
    """The indices of the steps that the model reads but does not judge: none for an outcome model, which judges the whole.

    Raises:
        RowError: these are all.
    """
    if config.kind != "prm":
        return frozenset()
    if all(context):
        part = config.split.part if config.split else "part that is judged"
        raise RowError("no_such_part", f"the response has no {part}")
    return frozenset(index for index, is_context in enumerate(context) if is_context)


def check_cutting(model: str, config: PrmConfig, run_code: bool) -> None:
    """For a model that may come from somebody else: nothing that its folder names is imported unasked.

    Raises:
        UserError: it names code, which `run_code` does not allow, or which is not here.
    """
    kind = config.split.kind if config.split else ""
    if ":" in kind and not run_code:
        raise UserError(f"{model}: its dataset was cut into steps by code, {kind}: add --run-code if you trust it")
    check_kind(kind)
