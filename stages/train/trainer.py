"""`transformers.Trainer` with the loss, the metrics and the order of samples of a reward model; the loop is its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import EvalPrediction, PreTrainedModel, Trainer

from pipeline.errors import UserError
from stages.metrics import Steps, auc, cells, macro_f1, reliability
from stages.reward.beta import concentration
from stages.train import loss as losses
from stages.train.batches import TARGET_KEYS
from stages.train.config import LossConfig
from stages.train.order import GroupedSampler
from stages.train.samples import UNMEASURED
from stages.train.stop import outlive_signals
from stages.train.sureness import LEVELS, SCALE, concentration_scale, coverage


@dataclass(frozen=True)
class Objective:
    """What a model is trained on: how labels are read and how the loss is made.

    `label_ids` and `label_weights` have an entry a label; `counts` asks for the Beta-Binomial likelihood.
    """

    label_ids: tuple[int, ...]
    label_weights: tuple[float, ...]
    counts: bool
    config: LossConfig


class PrmTrainer(Trainer):
    """Trains on the batches of `stages.train.batches.Collator`."""

    def __init__(self, *arguments: Any, objective: Objective, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._objective = objective
        self.is_lora = not isinstance(self.model, PreTrainedModel)
        # Losses are divided by the number of measured steps of the whole optimiser step, on all workers.
        self.model_accepts_loss_kwargs = True
        self._loss_shifts_labels = False

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The weighted mean loss of the measured steps: of a batch, or in training of all that `num_items_in_batch` counts.

        Raises:
            UserError: the loss isn't finite.
        """
        log_probs, size = self._read(model, inputs)
        if self._objective.counts:
            each = losses.beta_binomial(log_probs, size, inputs["mass"])
        else:
            each = losses.cross_entropy(log_probs, inputs["mass"])
        measured = (inputs["labels"] != UNMEASURED).sum()
        total = losses.weighted_sum(each, inputs["weights"])
        if not torch.isfinite(total):
            raise UserError(_not_finite(self.state.global_step, inputs["rows"], each, inputs["weights"]))
        if not model.training:
            # Weights are scaled to a mean of 1 over the training samples, which aren't those that are evaluated.
            loss = total / inputs["weights"].sum().clamp(min=1e-12)
        else:
            loss = total / (measured if num_items_in_batch is None else num_items_in_batch)
            if self.args.average_tokens_across_devices and num_items_in_batch is not None:
                # Gradients are averaged over workers, and the count is of all workers.
                loss = loss * self.accelerator.num_processes
        if not return_outputs:
            return loss
        weights = torch.tensor(self._objective.label_weights, device=log_probs.device)
        found = losses.scores(log_probs, weights)
        if self._objective.counts:
            found = torch.stack([found, concentration(size)], dim=-1)
        # None stands where a model's output has its loss.
        return loss, (None, found)

    def _read(self, model: torch.nn.Module, inputs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the labels [B, S, C], and the log of their summed exponentiated logits [B, S].

        Only positions before a slot of some row of the batch go through the output layer.
        """
        before = (inputs["slots"] - 1).clamp(min=0)
        positions, index = torch.unique(before, return_inverse=True)
        given = {key: value for key, value in inputs.items() if key not in TARGET_KEYS}
        logits = model(**given, use_cache=False, logits_to_keep=positions).logits
        rows = torch.arange(len(before), device=before.device)[:, None]
        logits = logits[rows, index.view_as(before)]
        ids = torch.tensor(self._objective.label_ids, device=logits.device)
        softmax = "labels" if self._objective.counts else self._objective.config.softmax
        size = torch.logsumexp(logits[..., ids].float(), -1)
        return losses.label_log_probs(logits, ids, softmax), size

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """Writes a checkpoint with the names that the model has now.

        By default `save_pretrained` writes those of the published checkpoint, which `Trainer` then doesn't find when
        it goes on, and it starts from the base model with no more than a warning (transformers issues 43701, 48805).
        """
        folder = self.args.output_dir if output_dir is None else output_dir
        if self.is_lora:
            self.model.save_pretrained(folder, state_dict=state_dict)
        else:
            self.model.save_pretrained(folder, state_dict=state_dict, save_original_format=False)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """A checkpoint that lacks weights is no checkpoint.

        Raises:
            UserError: it holds other weights than the model.
        """
        tied = set(getattr(self.model, "all_tied_weights_keys", None) or ())
        wrong = [*load_result.unexpected_keys, *(name for name in load_result.missing_keys if name not in tied)]
        if wrong:
            raise UserError(f"{self.args.output_dir}: a checkpoint there is not of this model ({wrong[0]}): remove it")

    def _get_dataloader(self, *arguments: Any, **keywords: Any) -> Any:
        loader = super()._get_dataloader(*arguments, **keywords)
        # `accelerate` wraps the loader, and it is the one inside that starts processes.
        loader.base_dataloader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)
        return loader

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        lengths = (self.train_dataset if train_dataset is None else train_dataset).lengths
        world = self.args.world_size
        batches = math.ceil(math.ceil(len(lengths) / self.args.train_batch_size) / world)
        steps = math.ceil(batches / self.args.gradient_accumulation_steps)
        batch = self.args.train_batch_size * world
        # Of the step that comes next: so a resumed training is in the epoch that it left.
        return GroupedSampler(lengths, batch, self.args.seed, lambda: self.state.global_step // steps)

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        # By length, longest first: little padding, and what doesn't fit into memory fails at once.
        return np.argsort(-eval_dataset.lengths, kind="stable").tolist()


def _begin_worker(seed: Callable[[int], None] | None, number: int) -> None:
    outlive_signals()
    if seed is not None:
        seed(number)


def step_metrics(prediction: EvalPrediction, threshold: float) -> dict[str, float]:
    """Macro-F1, ROC-AUC and calibration of the measured steps, as `visualprm evaluate` has them; the first label is "right".

    What isn't defined is left out: both but for the calibration without right or without wrong steps, and the
    calibration of advantage scores, which leave [0, 1].
    """
    scores, labels = _flat(prediction.predictions), _flat(prediction.label_ids)
    measured = labels != UNMEASURED
    steps = Steps.of(labels[measured] == 0, scores[measured].astype(float))
    all_right = Steps.of(steps.right, np.full(len(steps.right), np.inf))
    found = {
        "macro_f1": float(macro_f1(cells(steps, threshold, 1)[0])),
        "macro_f1_all_right": float(macro_f1(cells(all_right, threshold, 1)[0])),
        "roc_auc": float(auc(steps.right, steps.score)),
        "ece": reliability(steps)[1],
        "right_share": float(steps.right.mean()),
        "steps": float(len(steps.right)),
    }
    return {name: value for name, value in found.items() if value is not None and not math.isnan(value)}


def count_metrics(prediction: EvalPrediction, threshold: float) -> dict[str, float]:
    """`step_metrics` of a model of counts, and how sure it may be (`stages/train/sureness.py`).

    Predictions have each step's mean and concentration, shape [B, S, 2]; `label_ids` labels [B, S] and counts [B, S, 2].
    """
    labels, counts = prediction.label_ids
    means, concentrations = np.moveaxis(np.asarray(prediction.predictions), -1, 0)
    k, rest = np.moveaxis(np.asarray(counts), -1, 0)
    drawn = (labels != UNMEASURED) & (k + rest > 0)
    mean, sure, k, n = (each[drawn].astype(np.float64) for each in (means, concentrations, k, k + rest))
    scale = concentration_scale(mean, sure, k, n)
    covered = {f"coverage_{level:.0%}".rstrip("%"): coverage(level, mean, sure * scale, k, n) for level in LEVELS}
    found = {**step_metrics(EvalPrediction(means, labels), threshold), SCALE: scale, **covered}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _flat(values: Any) -> np.ndarray:
    return np.asarray(values).reshape(-1)


def _not_finite(step: int, rows: Sequence[str], each: Tensor, weights: Tensor) -> str:
    bad = ~torch.isfinite(each) & (weights > 0)
    name, place = ("of several", 0)
    if bad.any():
        row, place = (int(index) for index in bad.nonzero()[0])
        name = rows[row]
    return (
        f"the loss isn't finite at optimiser step {step + 1}, sample {name} step {place}: "
        "lower optim.learning_rate, or start again from an earlier checkpoint"
    )
