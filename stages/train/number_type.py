"""What `optim.bf16: auto` stands for: bf16 where the machine multiplies it fast, decided once for a run directory."""

from __future__ import annotations

from collections.abc import Callable

from pipeline import origin
from pipeline.engine.number_type import Report, an_engine_of, fastest, this_machine
from pipeline.settings import flat
from pipeline.store import Store
from stages.train.config import TrainConfig


def decided(config: TrainConfig, mend: str) -> TrainConfig:
    """`config` with the number type that its run directory was made with, or else the one for the machine that trains.

    Raises:
        UserError: the run directory's settings can't be read (`mend` says what to do), or no cluster is there.
    """
    if config.optim.bf16 != "auto":
        return config
    held = origin.noted(Store(config.run_dir), "train.yaml", mend)
    return with_type(config, flat(held).get("optim.bf16") if held is not None else None, lambda: _machine(config))


def with_type(config: TrainConfig, recorded: object, report: Callable[[], Report]) -> TrainConfig:
    """`config` with the type that is recorded, or that suits what the machine reports, which is asked only then. Pure."""
    bf16 = recorded if isinstance(recorded, bool) else fastest(report()) == "bfloat16"
    return config.model_copy(update={"optim": config.optim.model_copy(update={"bf16": bf16})})


def _machine(config: TrainConfig) -> Report:
    ray = config.ray
    report = an_engine_of(ray.address) if ray.workers > 1 and ray.address is not None else this_machine()
    if ray.workers > 1 and not ray.gpu:
        return Report(gpu=False, cpu_bfloat16=report.cpu_bfloat16)
    return report
