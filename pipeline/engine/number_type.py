"""Which number type `engine.dtype: auto` stands for: what the machine multiplies fast, decided once for a run.

bfloat16 products are up to ten times slower than float32's on a CPU without units for them, and as fast or faster elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.config import EngineConfig

NumberType = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a machine says of itself."""

    gpu: bool
    """Whether torch can use a GPU."""
    gpu_bfloat16: bool = False
    """Whether that GPU has units for bfloat16 (compute capability 8.0 and later)."""
    cpu_bfloat16: bool = False
    """Whether the CPU has them, as oneDNN finds (AVX-512 or AMX; not what environment variables forbid)."""


def fastest(report: Report) -> NumberType:
    """The type that weights are held in on such a machine. Pure."""
    if report.gpu:
        return "bfloat16" if report.gpu_bfloat16 else "float16"
    return "bfloat16" if report.cpu_bfloat16 else "float32"


def this_machine() -> Report:
    """The report of the machine that this process runs on. Imports torch."""
    import torch

    gpu = torch.cuda.is_available()
    return Report(
        gpu,
        gpu and torch.cuda.is_bf16_supported(including_emulation=False),
        torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    )


def an_engine_of(address: str) -> Report:
    """The report of a node of the Ray cluster at `address`, one with a GPU where there is one.

    Raises:
        UserError: no cluster is there.
    """
    import ray

    from pipeline.cluster.session import ray_at

    with ray_at(address):
        gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
        found: Report = ray.get(ray.remote(num_cpus=0, num_gpus=gpus)(this_machine).remote())
    return found


def decided(engine: EngineConfig, recorded: str | None = None, address: str | None = None) -> EngineConfig:
    """`engine` with the type that `auto` stands for; any other type is the user's own choice and stays.

    Args:
        engine: The settings as they were given.
        recorded: The type that the run directory was made with, which decides for it. A run that recorded `auto` was made
            when vLLM chose, and keeps that.
        address: The Ray cluster on whose nodes the engine will run; this machine without one.
    """
    if engine.dtype != "auto":
        return engine
    if recorded is None:
        # A script has no numbers; its ids have always said bfloat16.
        where = this_machine if address is None else lambda: an_engine_of(address)
        recorded = "bfloat16" if engine.kind != "vllm" else fastest(where())
    return engine.model_copy(update={"dtype": recorded})
