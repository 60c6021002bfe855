"""What every worker of a training does: builds the trainer, trains from the last checkpoint on, and writes the model."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.inputs import read_input
from pipeline.terminal.speak import say
from stages.reward.config import PrmConfig
from stages.reward.render import Layout, label_ids
from stages.train import base_model, curves
from stages.train import save as artefact
from stages.train.checkpoints import resume_point
from stages.train.config import TrainConfig
from stages.train.prepare import Prepared
from stages.train.stop import Stop, Stopped, stopped_by_signals
from stages.train.sureness import SCALE
from stages.train.targets import LABELS


def make_layout(config: TrainConfig) -> Layout:
    """How conversations are written for this training.

    Raises:
        UserError: the file of `model.system` can't be read.
    """
    system = None
    if config.model.system is not None:
        system = read_input("model.system", config.model.system, config.model.folders).rstrip("\n")
    return _layout(config, system)


def _layout(config: TrainConfig, system: str | None) -> Layout:
    return Layout(labels=tuple(LABELS[config.target.kind]), first_turn=config.model.first_turn, system=system)


def fit(config: TrainConfig, prepared: Prepared, stated: TrainConfig | None = None, stop: Stop | None = None) -> None:
    """What every worker does: trains from the last checkpoint on, evaluates, and the first one writes the model.

    If it is stopped, it ends with a checkpoint and without a model.

    Args:
        stated: the settings for the model's folder, with the paths as the user gave them, where they are others.
        stop: asks for that; here signals do, too.

    Raises:
        UserError: no checkpoint can be resumed from, or the loss isn't finite.
    """
    from transformers.utils import logging

    from stages.train.saving import agreed, saving_errors

    logging.disable_progress_bar()
    stop = stop or Stop()
    trainer = make_trainer(config, prepared, stop)
    place = _resume_point(config, trainer)
    with stopped_by_signals(stop), suppress(Stopped), saving_errors(config.run_dir):
        trainer.train(resume_from_checkpoint=place)
    if agreed(trainer.args, stop.asked) == [True]:
        return
    metrics = _plain(trainer.evaluate()) if len(prepared.held_out) else {}
    with saving_errors(config.output_dir):
        _write_model(config, prepared, trainer, metrics, stated or config)


def _resume_point(config: TrainConfig, trainer: Any) -> str | None:
    """The checkpoint to resume from. The first worker looks, and says so; large files are read once."""
    from accelerate.utils import broadcast_object_list

    found: list[str | None] = [None]
    if trainer.is_world_process_zero():
        place, line = resume_point(Path(config.run_dir), trainer.args.world_size)
        if line:
            say(line)
        found = [str(place) if place else None]
    return broadcast_object_list(found)[0]


def make_trainer(config: TrainConfig, prepared: Prepared, stop: Stop | None = None) -> Any:
    """The trainer with model, data, objective and callbacks."""
    from functools import partial

    from transformers import PrinterCallback, ProgressCallback, set_seed

    from stages.train.batches import Collator
    from stages.train.progress import Progress
    from stages.train.saving import Saving
    from stages.train.trainer import Objective, PrmTrainer, count_metrics, step_metrics

    set_seed(config.seed)
    processor = base_model.load_processor(config.model)
    layout = _layout(config, prepared.system)
    weights = LABELS[config.target.kind]
    counts = config.target.kind == "counts"
    objective = Objective(label_ids(processor, layout), tuple(weights.values()), counts, config.loss)
    trainer = PrmTrainer(
        base_model.load_model(config.model),
        training_arguments(config, evaluate=len(prepared.held_out) > 0),
        data_collator=Collator(processor, prepared.class_weights, prepared.scale),
        train_dataset=prepared.train,
        eval_dataset=prepared.held_out if len(prepared.held_out) else None,
        compute_metrics=partial(
            count_metrics if counts else step_metrics, threshold=(min(weights.values()) + max(weights.values())) / 2
        ),
        objective=objective,
    )
    for other in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(other)
    trainer.add_callback(Saving(trainer, config.check.save_minutes, stop or Stop()))
    trainer.add_callback(Progress(trainer))
    return trainer


def training_arguments(config: TrainConfig, evaluate: bool) -> Any:
    """`TrainingArguments` that stand for the settings."""
    import torch
    from transformers import TrainingArguments

    optim, check = config.optim, config.check
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", f"{config.run_dir}/logs")
    report_to = check.report_to
    if report_to is None:
        report_to = ("tensorboard", *(("wandb",) if importlib.util.find_spec("wandb") else ()))
    settings: dict[str, Any] = {
        "output_dir": f"{config.run_dir}/checkpoints",
        "run_name": config.name,
        "seed": config.seed,
        "num_train_epochs": optim.epochs,
        "learning_rate": optim.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": optim.warmup,
        "weight_decay": optim.weight_decay,
        "adam_beta1": optim.betas[0],
        "adam_beta2": optim.betas[1],
        "max_grad_norm": optim.max_grad_norm,
        "per_device_train_batch_size": optim.batch_size,
        "per_device_eval_batch_size": optim.batch_size,
        "gradient_accumulation_steps": optim.accumulate,
        "bf16": optim.bf16,
        "gradient_checkpointing": optim.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if optim.gradient_checkpointing else None,
        "dataloader_num_workers": optim.loader_workers,
        "dataloader_persistent_workers": optim.loader_workers > 0,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available() or (config.ray.workers > 1 and not config.ray.gpu),
        "logging_steps": check.log_every,
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": check.evaluate_every,
        "save_strategy": "steps",
        "save_steps": check.save_every,
        "save_total_limit": check.keep,
        "report_to": list(report_to) or "none",
        "remove_unused_columns": False,
        "label_names": ["labels", *(["mass"] if config.target.kind == "counts" else [])],
        **optim.args,
    }
    try:
        arguments = TrainingArguments(**settings)
    except (TypeError, ValueError) as error:
        raise UserError(f"optim.args: {str(error).splitlines()[0]}") from error
    if arguments.n_gpu > 1:
        # `Trainer` would copy the model to each of them for every batch (DataParallel), which our loss isn't made for.
        say(f"one of {arguments.n_gpu} GPUs is used: ray.workers={arguments.n_gpu} uses all")
        arguments._n_gpu = 1
    return arguments


def _write_model(
    config: TrainConfig, prepared: Prepared, trainer: Any, metrics: Mapping[str, float], stated: TrainConfig
) -> None:
    target = config.target.kind
    layout = _layout(config, prepared.system)
    description = PrmConfig(
        kind="orm" if target == "outcome" else "prm",
        target=target,
        label_weights=dict(LABELS[target]),
        placeholder=layout.placeholder,
        first_turn=layout.first_turn,
        system=layout.system,
        max_tokens=prepared.facts.get("max_tokens", config.data.max_tokens),
        base_model=base_model.fingerprint(config.model),
        data_fingerprint=prepared.fingerprint,
        split=prepared.split,
        concentration_scale=metrics.get(SCALE, 1.0),
        training=stated.model_dump(mode="json", exclude={"run_dir", "output_dir", "ray", "check"}),
        metrics=dict(metrics),
    )
    dtype = config.model.output_dtype
    if config.model.lora is not None:
        adapters = Path(config.run_dir) / "adapters"
        trainer.save_model(str(adapters))
        if trainer.is_world_process_zero():
            model = base_model.merged(config.model, adapters)
            save = lambda folder: base_model.save_weights(model, None, dtype, folder)  # noqa: E731
    else:
        # On every worker: where weights are sharded it takes all of them to put them together.
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        model = trainer.accelerator.unwrap_model(trainer.model)
        save = lambda folder: base_model.save_weights(model, state, dtype, folder)  # noqa: E731
    if trainer.is_world_process_zero():
        pictures = curves.render(trainer.state.log_history)
        artefact.write_artefact(config.output_dir, description, base_model.load_processor(config.model), save, pictures)


def _plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics without `eval_` and without times."""
    timing = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    found = {name.removeprefix("eval_"): float(value) for name, value in metrics.items() if name.startswith("eval_")}
    return {name: value for name, value in found.items() if name not in timing}
