"""`prm_config.json`: what a reward model's folder says beyond its weights, so that it is used as it was trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from pipeline import atomic
from pipeline.config import SplitConfig
from pipeline.errors import UserError
from pipeline.model_files import model_file
from pipeline.settings import Strict, only_if_set

FILE = "prm_config.json"
UNTRAINED = "untrained"
"""The `data_fingerprint` of a model that was never trained to judge."""


class PrmConfig(Strict):
    """The contract between who trains a reward model and who asks it."""

    version: Literal[1] = 1
    """Of this file's format."""
    kind: Literal["prm", "orm"]
    """`orm`: the whole response is rendered as one step."""
    target: Literal["value", "advantage", "soft", "counts", "outcome"]
    """What steps were trained on."""
    label_weights: dict[str, float]
    """The labels, best first, with their weights: a step's score is Σ P(label) · weight."""
    placeholder: str = "+"
    """The label that stands in every slot of the input."""
    first_turn: str
    """The first user turn, with `{question}` and `{step}`, or with `{question}` alone (`stages/reward/render.py`)."""
    system: str | None = None
    """The system turn; null leaves the chat template's own."""
    max_tokens: int = Field(ge=1)
    """The longest conversation that it was trained on, images expanded."""
    base_model: str
    """The model that it was trained from, and for a folder a hash of its content."""
    data_fingerprint: str
    """A hash of the shards that it was trained on."""
    split: SplitConfig | None = only_if_set()
    """How its dataset's solutions were cut into steps, if that is known; by default at blank lines, into at most 12."""
    concentration_scale: float = Field(default=1.0, gt=0, exclude_if=lambda scale: scale == 1.0)
    """Of a model that learnt counts: what the concentration of a step's Beta is multiplied by, as the held-out problems want
    it (`stages/train/sureness.py`)."""
    training: dict[str, Any] = Field(default_factory=dict)
    """The training's settings."""
    metrics: dict[str, float | None] = Field(default_factory=dict)
    """On the held-out problems, against the dataset's own labels."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.label_weights)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest score of a step."""
        return min(self.label_weights.values()), max(self.label_weights.values())

    @property
    def middle(self) -> float:
        """The score between right and wrong: 0.5, or 0 for advantages."""
        return sum(self.bounds) / 2

    @property
    def trained(self) -> bool:
        """False for a model that was never trained to judge."""
        return self.data_fingerprint != UNTRAINED

    @property
    def gives_intervals(self) -> bool:
        """Whether a step's score comes with an interval: the model learnt counts."""
        return self.target == "counts" and self.trained

    @property
    def prompt_sha(self) -> str:
        """12 hex digits over everything that the rendering depends on beside the chat template."""
        parts = [self.labels, self.placeholder, self.first_turn, self.system]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:12]

    def save(self, folder: Path) -> None:
        document = {**self.model_dump(mode="json"), "prompt_sha": self.prompt_sha}
        atomic.write(folder / FILE, json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def find(cls, model: str) -> PrmConfig | None:
        """That of a model's folder or hub id; None for a model that is no reward model.

        Raises:
            UserError: as `load`, or the hub can't say whether there is one.
        """
        file = model_file(model, FILE, fetch=True)
        return cls.load(file.parent) if file else None

    @classmethod
    def load(cls, folder: Path) -> PrmConfig:
        """Reads a folder's file and checks its prompt hash.

        Raises:
            UserError: there is none, or it isn't one of this format, or was edited.
        """
        path = folder / FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            stated = document.pop("prompt_sha", None)
            config = cls.model_validate(document)
        except FileNotFoundError:
            raise UserError(f"{folder}: holds no {FILE}: `visualprm train` writes it") from None
        except (OSError, ValueError, AttributeError, ValidationError) as error:
            raise UserError(f"{path}: not a reward model's config: {str(error).splitlines()[0]}") from error
        if stated not in (None, config.prompt_sha):
            raise UserError(f"{path}: prompt_sha is {stated}, its texts give {config.prompt_sha}: restore the file")
        return config
