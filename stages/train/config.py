"""The configuration of a training: what to learn from which shards, with which model, and how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.settings import Strict, load_settings
from stages.reward.render import FIRST_TURN
from stages.train.targets import LABELS


class DataConfig(Strict):
    """The published shards, and which part of them is used."""

    path: str
    """The folder with a published dataset's `.parquet` shards."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """The share of problems that is kept for evaluation; a problem is held out with all of its solutions."""
    max_tokens: int = Field(default=8192, ge=16)
    """The most tokens in a conversation, images expanded; beyond it, or the model's context, trailing steps go first."""
    drop_all_right: bool = False
    """Leave out training problems in which no step of any solution is wrong."""
    keep: float = Field(default=1.0, gt=0, le=1)
    """The share of training solutions that is kept; without `select`, chosen by a hash of the problem."""
    select: Literal["random", "informative"] = "random"
    """`informative` keeps the solutions of each source with the highest [p(1 − p) + α] · R (arXiv 2602.04145)."""
    select_alpha: float = Field(default=0.05, ge=0)
    """The α of `select: informative`: above 0, solutions with steps of only one kind get a score, too."""


class TargetConfig(Strict):
    """What a step is trained on (`stages/train/targets.py`)."""

    kind: Literal["value", "advantage", "soft", "counts", "outcome"] = "value"
    """`outcome` makes an outcome reward model, the others process reward models."""
    threshold: float | None = Field(default=None, ge=0, lt=1)
    """A step is right if its mc is above this; null takes the dataset's labels as they were published."""
    tolerance: float = Field(default=0.0, ge=0, lt=1)
    """For `advantage`: differences of mc up to this are ties."""
    stop_at_first_error: bool = False
    """Train only on the steps up to the first wrong one (the paper's "early stop")."""


class LossConfig(Strict):
    """How the steps' losses become one number."""

    softmax: Literal["labels", "vocabulary"] = "labels"
    """What competes with a label: the other labels, as when scoring, or every token, as in the reference."""
    class_weights: Literal["none", "balanced"] | dict[str, float] = "none"
    """Weights of steps by hard label: `balanced` gives each label the same total weight, or `{"-": 2.0}`."""
    reduction: Literal["step", "solution", "square"] = "step"
    """Every step counts the same, or every solution, or each step 1/√(steps of its solution)."""


class LoraSettings(Strict):
    """Low-rank adapters, merged into the weights at the end."""

    rank: int = Field(default=16, ge=1)
    """The rank of the update of a weight matrix."""
    alpha: float = Field(default=32, gt=0)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the adapter."""
    targets: str = "all-linear"
    """`peft`'s target_modules: a pattern of module names."""


class ModelConfig(Strict):
    """The model that becomes a reward model."""

    base: str
    """A local folder or a hub id of a model for images and text with a chat template."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number type of the weights while they are trained; `optim.bf16` computes in bf16 either way."""
    output_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number type of the weights as they are written."""
    attention: Literal["eager", "sdpa", "flash_attention_2"] = "sdpa"
    """The implementation of attention."""
    system: str | None = None
    """A file with the system turn for samples without one of their own; null for the template's."""
    first_turn: str = FIRST_TURN
    """The first user turn, with `{question}` and `{step}`; with `{question}` alone, a step is judged at its end."""
    frozen: tuple[str, ...] = ()
    """Parts whose weights do not change: modules by the end of their name, `vision_tower` for example."""
    new_layers: int = Field(default=0, ge=0)
    """Put this many layers on top of the text model and train them alone (arXiv 2401.02415)."""
    lora: LoraSettings | None = None
    """Train adapters instead of all weights."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""


class OptimConfig(Strict):
    """AdamW, a linear warm-up, then a cosine to 0."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the training solutions."""
    learning_rate: float = Field(default=1e-5, gt=0)
    """The peak of the learning rate."""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """The share of steps in which the rate rises."""
    weight_decay: float = Field(default=0.05, ge=0)
    """AdamW's weight decay."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's β₁ and β₂."""
    batch_size: int = Field(default=8, ge=1)
    """Solutions in a worker's batch."""
    accumulate: int = Field(default=1, ge=1)
    """Batches per worker for one optimiser step."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    bf16: bool | Literal["auto"] = False
    """Compute in bf16 where that is safe (autocast); auto does so where the machine that trains has units for bf16."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them."""
    loader_workers: int = Field(default=1, ge=0)
    """Processes per worker that decode images."""
    args: dict[str, Any] = Field(default_factory=dict)
    """More arguments of `transformers.TrainingArguments`: `fsdp`, `optim`, `torch_compile`, `max_steps`, …"""


class CheckConfig(Strict):
    """What happens at intervals during training."""

    log_every: int = Field(default=10, ge=1)
    """Optimiser steps between two log lines."""
    evaluate_every: int = Field(default=200, ge=1)
    """Optimiser steps between two evaluations on the held-out problems; there is always one at the end."""
    save_every: int = Field(default=200, ge=1)
    """Optimiser steps between two checkpoints."""
    save_minutes: float = Field(default=5.0, gt=0)
    """Minutes after which a checkpoint is written at the end of an optimiser step, whatever `save_every` says."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints that are kept."""
    report_to: tuple[Literal["tensorboard", "wandb"], ...] | None = None
    """Where metrics go; null for TensorBoard, and W&B where it is installed."""


class RayTrainConfig(Strict):
    """Ray Train; with one worker training runs in this process, without Ray."""

    workers: int = Field(default=1, ge=1)
    """Processes that train together, each on its own device."""
    gpu: bool = True
    """Give each worker a GPU; false trains on CPUs."""
    address: str | None = None
    """A cluster to join; null starts one here."""
    wait_s: float | None = Field(default=300.0, ge=0, exclude_if=lambda seconds: seconds == 300.0)
    """Seconds to wait until a cluster has places for all workers; null waits for ever."""
    failures: int = Field(default=3, ge=0)
    """How often a lost worker restarts the training from its last checkpoint."""


class TrainConfig(Strict):
    """A whole training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the run and output directories."""
    seed: int = 0
    """Decides the held-out problems, the order of samples and everything else that is random."""
    run_dir: str = ""
    """Checkpoints, logs and the prepared samples; `runs/<name>` by default."""
    output_dir: str = ""
    """The reward model; `outputs/<name>` by default."""
    data: DataConfig
    target: TargetConfig = TargetConfig()
    loss: LossConfig = LossConfig()
    model: ModelConfig
    optim: OptimConfig = OptimConfig()
    check: CheckConfig = CheckConfig()
    ray: RayTrainConfig = RayTrainConfig()

    @model_validator(mode="before")
    @classmethod
    def _default_folders(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(name := data.get("name"), str):
            return {**data, "run_dir": data.get("run_dir") or f"runs/{name}",
                    "output_dir": data.get("output_dir") or f"outputs/{name}"}  # fmt: skip
        return data

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.target.tolerance and self.target.kind != "advantage":
            raise ValueError(f"target.tolerance is for target.kind=advantage, not {self.target.kind}: remove it")
        if self.target.stop_at_first_error and self.target.kind == "outcome":
            raise ValueError("target.stop_at_first_error with target.kind=outcome: a response is one step, remove it")
        self._check_class_weights()
        if self.model.new_layers and self.model.lora is not None:
            raise ValueError("model.new_layers with model.lora: both leave the base as it is, choose one")
        if Path(self.run_dir).resolve() == Path(self.output_dir).resolve():
            raise ValueError("run_dir and output_dir are the same folder: choose another for one of them")
        return self

    def _check_class_weights(self) -> None:
        given, labels = self.loss.class_weights, tuple(LABELS[self.target.kind])
        if isinstance(given, str):
            return
        if unknown := sorted(given.keys() - set(labels)):
            raise ValueError(
                f"loss.class_weights: {unknown[0]!r} is not a label of target.kind={self.target.kind}: "
                f"use {', '.join(map(repr, labels))}"
            )
        if wrong := [name for name, weight in given.items() if not 0 < weight < math.inf]:
            raise ValueError(f"loss.class_weights: the weight of {wrong[0]!r} is {given[wrong[0]]}: give one above 0")


def load_train_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Reads and validates a training's config.

    Raises:
        UserError: one line that names the file, the key and the mend.
    """
    return load_settings(TrainConfig, path, overrides)
