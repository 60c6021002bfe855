"""What scores a pool: a reward model of ours, for processes or for outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import EngineConfig, SplitConfig
from pipeline.engine.policy import model_fingerprint
from pipeline.errors import UserError
from stages.reward.config import PrmConfig

if TYPE_CHECKING:
    from stages.reward.model import Scorer
    from stages.reward.open_scorer import Backend


@dataclass(frozen=True, slots=True)
class CriticSpec:
    """A model on disk that judges.

    `fingerprint` is a hash of its files, and for a model that is no reward model also of how it is read; `outcome`
    says that it gives a response one score in all; `like`, for a model that is no reward model, is the reward model
    whose layout it is shown; `split` is how the solutions that it learnt from were cut into steps, if that is known;
    `backend` is what runs it, with a rounding of its own, and so is a part of `fingerprint`.
    A step's score lies between the bounds `lowest` and `highest`.
    """

    name: str
    path: str
    fingerprint: str
    outcome: bool
    lowest: float
    highest: float
    like: str | None = None
    split: SplitConfig | None = None
    backend: Backend = "hf"


def find_critic(argument: str, like: str | None = None, backend: Backend = "hf") -> CriticSpec:
    """What `NAME=PATH` stands for, or `PATH`, whose last part is then the name. Loads no weights.

    Args:
        like: the reward model that a model without `prm_config.json` is read as.

    Raises:
        UserError: no model is there, or the name can't name a folder.
    """
    from stages.reward.model import read_config

    name, sign, path = argument.partition("=")
    if not sign:
        name, path = Path(argument).resolve().name, argument
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"critic {argument!r}: write it as NAME=PATH, with a name without slashes")
    own = like if like is not None and PrmConfig.find(path) is None else None
    config = read_config(path, own)
    fingerprint = model_fingerprint(EngineConfig(model=path))
    if not config.trained:
        fingerprint += f"+{config.kind}-{config.prompt_sha}"
    if backend != "hf":
        fingerprint += f"+{backend}"
    return CriticSpec(name, path, fingerprint, config.kind == "orm", *config.bounds, own, config.split, backend)


def load_critic(critic: CriticSpec, **args: Any) -> Scorer:
    """The reward model, ready to score; `args` are vLLM's own.

    Raises:
        UserError: it can't be loaded.
    """
    from stages.reward.open_scorer import load_scorer

    return load_scorer(critic.path, critic.backend, like=critic.like, **args)
