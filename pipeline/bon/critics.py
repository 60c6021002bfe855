"""What scores a pool: a reward model of ours, for processes or for outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import EngineConfig
from pipeline.errors import UserError
from pipeline.policy import model_fingerprint

if TYPE_CHECKING:
    from stages.score import Scorer


@dataclass(frozen=True, slots=True)
class Critic:
    """A reward model on disk: its name, a hash of its files, and whether it gives a response one score in all."""

    name: str
    path: str
    fingerprint: str
    outcome: bool


def find_critic(argument: str) -> Critic:
    """What `NAME=PATH` stands for, or `PATH`, whose last part is then the name. Loads no weights.

    Raises:
        UserError: no model is there, or the name can't name a folder.
    """
    from stages.score import read_config

    name, sign, path = argument.partition("=")
    if not sign:
        name, path = Path(argument).resolve().name, argument
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"critic {argument!r}: write it as NAME=PATH, with a name without slashes")
    outcome = read_config(path).kind == "orm"
    return Critic(name, path, model_fingerprint(EngineConfig(model=path)), outcome)


def load_scorer(path: str) -> Scorer:
    """The reward model, ready to score.

    Raises:
        UserError: it can't be loaded.
    """
    from stages.score import ProcessRewardModel

    return ProcessRewardModel.from_pretrained(path)
