"""A training from its config to a reward model's folder: `visualprm train`.

The run directory holds train.yaml (the settings), samples-…/ (the prepared samples), checkpoints/ and logs/. The same
command resumes from the last checkpoint that is whole; settings or data that don't fit it are refused.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from pipeline import atomic, origin
from pipeline.cluster import own_modules, ray_started
from pipeline.errors import UserError
from pipeline.inputs import located, read_input
from pipeline.settings import dump_settings, flat, parse_settings
from pipeline.store import Store, one_line_io_errors
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from stages.reward.config import PrmConfig
from stages.reward.render import Layout, label_ids
from stages.train import base_model, curves
from stages.train import save as artefact
from stages.train.checkpoints import holds_checkpoints, resume_point
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from stages.train.number_type import decided
from stages.train.prepare import Prepared, load_prepared, prepare, read_labels
from stages.train.stop import Stop, Stopped, stopped_by_signals
from stages.train.targets import LABELS

FREE = (
    "output_dir", "check", "ray.gpu", "ray.address", "ray.failures", "data.path", "optim.loader_workers",
    "model.output_dtype",
)  # fmt: skip
"""Dotted keys that may change between two calls on one run directory. With other `ray.workers` an optimiser step
would be of another number of samples, and what a checkpoint has seen could not be told from its step."""
_MADE_FROM = {
    "fingerprint": ("other data", "data.path"),
    "base": ("a training of other weights", "model.base"),
    "samples": (
        "conversations that were written otherwise, with another system text or by another template or processor",
        "model.system",
    ),
}
"""What `data.json` says of the checkpoints; what they are of if it is another now, and the setting for it. The first to
differ is named: other data and another base make other samples, too."""
_MEND = "restore what it was, set run_dir to another folder, or remove this one"
_THRESHOLD = "target.threshold"
_FAILED = "failed.txt"


def train(config: TrainConfig) -> None:
    """Trains, or resumes a training, and writes the reward model.

    Raises:
        UserError: something in the settings, the data or an earlier run doesn't fit, or the loss isn't finite.
        KeyboardInterrupt: it was stopped, and a checkpoint was written.
    """
    config = decided(config, _MEND)
    artefact.check_place(config.output_dir)
    base = base_model.fingerprint(config.model)
    run_dir = Path(config.run_dir)
    labels = read_labels(config)
    _check_settings(config, run_dir, labels)
    if labels.note:
        tell(labels.note)
    with quiet(str(run_dir / "logs")):
        _train(config, labels, base)


def _train(config: TrainConfig, labels: Labels, base: str) -> None:
    run_dir = Path(config.run_dir)
    processor = base_model.load_processor(config.model)
    layout = make_layout(config)
    label_ids(processor, layout)
    prepared = prepare(config, processor, layout, labels, base_model.context_length(config.model))
    _check_origin(prepared, base, run_dir)
    with one_line_io_errors(str(run_dir)):
        atomic.write(run_dir / "train.yaml", dump_settings(config))
    tell(_data_summary(prepared))
    # The model's folder says what was learnt, which "as published" would not.
    stated = config.model_copy(
        update={"target": config.target.model_copy(update={"threshold": labels.threshold})},
    )
    stop = _stop(config)
    if config.ray.workers > 1:
        _fit_on_ray(config, prepared, stated, stop)
    else:
        fit(config, prepared, stated, stop)
    if stop.asked:
        stop.forget()
        raise KeyboardInterrupt
    tell(_result_summary(config))


def _stop(config: TrainConfig) -> Stop:
    """Workers of Ray are asked by a file in the run directory, which all of them see."""
    return Stop(Path(config.run_dir).absolute() / "stop" if config.ray.workers > 1 else None)


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
    from stages.train.trainer import Objective, PrmTrainer, step_metrics

    set_seed(config.seed)
    processor = base_model.load_processor(config.model)
    layout = _layout(config, prepared.system)
    weights = LABELS[config.target.kind]
    objective = Objective(
        label_ids(processor, layout), tuple(weights.values()), config.target.kind == "counts", config.loss
    )
    trainer = PrmTrainer(
        base_model.load_model(config.model),
        training_arguments(config, evaluate=len(prepared.held_out) > 0),
        data_collator=Collator(processor, prepared.class_weights, prepared.scale),
        train_dataset=prepared.train,
        eval_dataset=prepared.held_out if len(prepared.held_out) else None,
        compute_metrics=partial(step_metrics, threshold=(min(weights.values()) + max(weights.values())) / 2),
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
        "label_names": ["labels"],
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


def _fit_on_ray(config: TrainConfig, prepared: Prepared, stated: TrainConfig, stop: Stop) -> None:
    """The same on several workers, through Ray Train; a lost one restarts all from the last checkpoint."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    failed = Path(config.run_dir).resolve() / _FAILED
    failed.unlink(missing_ok=True)
    stop.forget()
    address = config.ray.address
    # A session of the caller's own stays.
    session = (
        nullcontext()
        if ray.is_initialized()
        else ray_started(address, log_to_driver=True, runtime_env=_runtime_environment(address))
    )
    try:
        with session:
            trainer = TorchTrainer(
                _ray_worker,
                train_loop_config=_worker_settings(config, prepared, stated),
                torch_config=TorchConfig(backend="nccl" if config.ray.gpu else "gloo"),
                scaling_config=ScalingConfig(num_workers=config.ray.workers, use_gpu=config.ray.gpu),
                run_config=RunConfig(
                    name="ray",
                    storage_path=str(Path(config.run_dir).resolve()),
                    failure_config=FailureConfig(max_failures=config.ray.failures),
                ),
            )
            with stopped_by_signals(stop):
                _in_thread(trainer.fit)
    except Exception as error:
        if failed.exists():
            raise UserError(failed.read_text(encoding="utf-8")) from error
        raise


def _in_thread(work: Callable[[], object]) -> None:
    """Does it, while signals reach this thread: in the main thread Ray Train would take Ctrl-C for itself."""
    ended: Future[object] = Future()

    def do() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:
            ended.set_exception(error)

    Thread(target=do, daemon=True).start()
    ended.result()


def _runtime_environment(address: str | None) -> dict[str, Any]:
    names = ("PYTHONPATH", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM", "HF_HOME")
    found: dict[str, Any] = {"env_vars": {name: os.environ[name] for name in names if name in os.environ}}
    return {**found, "py_modules": own_modules()} if address else found


def _worker_settings(config: TrainConfig, prepared: Prepared, stated: TrainConfig) -> dict[str, Any]:
    """What `_ray_worker` is given: a worker elsewhere has another working directory, and none of this one's files."""
    base = Path(located(config.model.base, config.model.folders))
    places = {name: str(Path(getattr(config, name)).absolute()) for name in ("run_dir", "output_dir")}
    model = config.model.model_copy(update={"base": str(base.absolute())} if base.is_dir() else {})
    return {
        "config": config.model_copy(update={**places, "model": model}).model_dump(mode="json"),
        "stated": stated.model_dump(mode="json"),
        "samples": str(prepared.folder.resolve()),
    }


def _ray_worker(settings: Mapping[str, Any]) -> None:
    """In a Ray worker. A user error would only repeat itself: it is left in a file, which ends each new try at once."""
    config, stated = (TrainConfig.model_validate(settings[name]) for name in ("config", "stated"))
    failed = Path(config.run_dir) / _FAILED
    if failed.exists():
        raise RuntimeError(failed.read_text(encoding="utf-8"))
    try:
        fit(config, load_prepared(Path(settings["samples"])), stated, _stop(config))
    except UserError as error:
        atomic.write(failed, str(error))
        raise RuntimeError(str(error)) from error


def _check_settings(config: TrainConfig, run_dir: Path, labels: Labels) -> None:
    """Those that a checkpoint depends on. A setting that an older `train.yaml` lacks has its default."""
    held = origin.noted(Store(str(run_dir)), "train.yaml", _MEND)
    if held is not None and holds_checkpoints(run_dir):
        before = _bound(parse_settings(TrainConfig, held, origin=f"{run_dir}/train.yaml"))
        now = _bound(config)
        if labels.same(before[_THRESHOLD], now[_THRESHOLD]):
            before[_THRESHOLD] = now[_THRESHOLD]
        elif now[_THRESHOLD] is None:
            now[_THRESHOLD] = "the labels as published"
        what = "holds checkpoints of a training with other settings"
        origin.check(str(run_dir), before, now, _MEND, what)


def _bound(config: TrainConfig) -> dict[str, Any]:
    """The settings that may not change between two calls."""
    return {
        key: value
        for key, value in flat(config.model_dump(mode="json")).items()
        if not any(key == name or key.startswith(name + ".") for name in FREE)
    }


def _check_origin(prepared: Prepared, base: str, run_dir: Path) -> None:
    """A checkpoint belongs to the data and conversations that it has seen, and to the weights that it began with."""
    path = run_dir / "data.json"
    now = {"fingerprint": prepared.fingerprint, "base": base, "samples": prepared.folder.name}
    held = origin.noted(Store(str(run_dir)), path.name, _MEND)
    if held is not None and holds_checkpoints(run_dir):
        for name, (what, setting) in _MADE_FROM.items():
            if name not in held:
                raise UserError(
                    f"{path}: was written before base weights and system text were noted there: if these have not "
                    "changed since, remove this file to resume; else set run_dir to another folder"
                )
            origin.check(
                str(run_dir), {setting: held[name]}, {setting: now[name]}, _MEND, f"holds checkpoints of {what}"
            )
    with one_line_io_errors(str(run_dir)):
        atomic.write(path, json.dumps(now))


def _data_summary(prepared: Prepared) -> str:
    facts = prepared.facts
    lines = [
        f"{part.replace('_', ' ')}: {count['samples']:,} solutions ({count['distinct']:,} distinct), "
        f"{count['steps']:,} steps, {count['tokens']:,} tokens"
        for part, count in facts["counts"].items()
        if count
    ]
    lines.append(
        "training steps by label: " + ", ".join(f"{name} {count:,}" for name, count in facts["labels"].items())
    )
    if len(facts["system_turns"]) > 1:
        most, total = facts["system_turns"][0], sum(facts["system_turns"])
        lines.append(
            f"{len(facts['system_turns'])} system turns; scoring will use that of {most:,} of {total:,} solutions"
        )
    if facts["left_out"]:
        lines.append("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in facts["left_out"].items()))
        lines += [f"  {reason}, for example {example}" for reason, example in facts["examples"].items()]
    return "\n".join(lines)


def _result_summary(config: TrainConfig) -> str:
    metrics = PrmConfig.load(Path(config.output_dir)).metrics
    measured = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if value is not None)
    return f"held out: {measured or 'no problem'}\nreward model in {config.output_dir}"


def _plain(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics without `eval_` and without times."""
    timing = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
    found = {name.removeprefix("eval_"): float(value) for name, value in metrics.items() if name.startswith("eval_")}
    return {name: value for name, value in found.items() if name not in timing}
