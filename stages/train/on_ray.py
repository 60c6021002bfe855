"""A training on several workers, through Ray Train: what they are given, how they are stopped, what they leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

from pipeline import atomic
from pipeline.cluster.places import wait_for_places, what_there_is
from pipeline.cluster.session import own_modules, ray_started
from pipeline.errors import UserError
from pipeline.inputs import located
from pipeline.terminal.speak import say
from stages.train.config import TrainConfig
from stages.train.fit import fit
from stages.train.prepare import Prepared, load_prepared
from stages.train.stop import Stop, stopped_by_signals

_FAILED = "failed.txt"


def stop_of(config: TrainConfig) -> Stop:
    """Workers of Ray are asked by a file in the run directory, which all of them see."""
    return Stop(Path(config.run_dir).absolute() / "stop" if config.ray.workers > 1 else None)


def fit_on_ray(config: TrainConfig, prepared: Prepared, stated: TrainConfig, stop: Stop) -> None:
    """Trains on several workers, through Ray Train; a lost one restarts all from the last checkpoint."""
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
        else ray_started(address, log_to_driver=True, runtime_env=runtime_environment(address))
    )
    try:
        with session:
            # Ray Train would wait for ever, with a warning every ten seconds.
            places = [{"CPU": 1.0, "GPU": float(config.ray.gpu)}] * config.ray.workers
            if address:
                say(f"{config.ray.workers} workers{' of 1 GPU each' * config.ray.gpu}: {what_there_is(address)}")
            wait_for_places(f"{config.ray.workers} workers", places, address, config.ray.wait_s)
            trainer = TorchTrainer(
                ray_worker,
                train_loop_config=worker_settings(config, prepared, stated),
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


def runtime_environment(address: str | None) -> dict[str, Any]:
    names = ("PYTHONPATH", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM", "HF_HOME")
    found: dict[str, Any] = {"env_vars": {name: os.environ[name] for name in names if name in os.environ}}
    return {**found, "py_modules": own_modules()} if address else found


def worker_settings(config: TrainConfig, prepared: Prepared, stated: TrainConfig) -> dict[str, Any]:
    """What `ray_worker` is given: a worker elsewhere has another working directory, and none of this one's files."""
    base = Path(located(config.model.base, config.model.folders))
    places = {name: str(Path(getattr(config, name)).absolute()) for name in ("run_dir", "output_dir")}
    model = config.model.model_copy(update={"base": str(base.absolute())} if base.is_dir() else {})
    return {
        "config": config.model_copy(update={**places, "model": model}).model_dump(mode="json"),
        "stated": stated.model_dump(mode="json"),
        "samples": str(prepared.folder.resolve()),
    }


def ray_worker(settings: Mapping[str, Any]) -> None:
    """In a Ray worker. A user error would only repeat itself: it is left in a file, which ends each new try at once."""
    config, stated = (TrainConfig.model_validate(settings[name]) for name in ("config", "stated"))
    failed = Path(config.run_dir) / _FAILED
    if failed.exists():
        raise RuntimeError(failed.read_text(encoding="utf-8"))
    try:
        fit(config, load_prepared(Path(settings["samples"])), stated, stop_of(config))
    except UserError as error:
        atomic.write(failed, str(error))
        raise RuntimeError(str(error)) from error
