"""How a response is cut for a reward model: as the dataset was that it learnt from."""

from __future__ import annotations

from pipeline.errors import UserError
from stages.reward.config import PrmConfig
from stages.split import check_kind, split


def cut(response: str, config: PrmConfig, max_steps: int | None = None) -> list[str]:
    """The steps of a response; `max_steps` takes the place of the dataset's number.

    Raises:
        RowError: a function of the dataset's maker can't cut it.
    """
    return split(response, max_steps, config.split)


def check_cutting(model: str, config: PrmConfig, run_code: bool) -> None:
    """For a model that may come from somebody else: nothing that its folder names is imported unasked.

    Raises:
        UserError: it names code, which `run_code` does not allow, or which is not here.
    """
    kind = config.split.kind if config.split else ""
    if ":" in kind and not run_code:
        raise UserError(f"{model}: its dataset was cut into steps by code, {kind}: add --run-code if you trust it")
    check_kind(kind)
