"""The Ray Data graph: problems → engines → ledger, with Ray's checkpoint as the record of what is done."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

from pipeline.annotate import Annotator
from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.store import Store

WORKER_ENV = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def ray_session(config: RunConfig) -> AbstractContextManager[None]:
    """Ray, where the configuration has it."""
    return ray_at(config.ray.address)


@contextmanager
def joining(address: str | None) -> Iterator[None]:
    """Says in one line that no cluster is at `address`.

    Raises:
        UserError: it names the address and the mend.
    """
    try:
        if address:
            _knock(address)
        yield
    except ConnectionError as error:
        if not address:
            raise
        raise UserError(
            f"ray.address={address}: no Ray cluster is there: start one with `ray start --head`, correct the address, "
            "or leave it out to use this machine alone"
        ) from error


def _knock(address: str) -> None:
    """Ray would try for minutes to reach a `host:port` where nothing is.

    Raises:
        ConnectionError: nobody answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise ConnectionError(str(error)) from error


def own_modules() -> list[ModuleType]:
    """The code that travels with a job to a cluster, which has the packages that it needs but not this one."""
    import pipeline
    import stages

    return [pipeline, stages]


@contextmanager
def ray_at(address: str | None) -> Iterator[None]:
    """Joins the cluster at `address`, or starts Ray on this machine, and leaves it at the end.

    Raises:
        UserError: no cluster is there.
    """
    options: dict[str, Any] = {}
    if address:
        options |= {"address": address, "runtime_env": {"env_vars": WORKER_ENV, "py_modules": own_modules()}}
    else:
        # What Ray starts here inherits this; a runtime_env would leave the workers that it starts ahead unused.
        os.environ.update({**WORKER_ENV, "RAY_USAGE_STATS_ENABLED": "0"})
        # Reading, the filter of what is done and writing each want a CPU; with one they would wait for each other.
        options |= {"address": "local", "include_dashboard": False, "num_cpus": max(2, os.cpu_count() or 1)}
    import ray

    # It warns that access to the cluster needs a token, which every process here has.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    with joining(address):
        ray.init(logging_level=logging.WARNING, **options)
    # Ray's own handler would end the process at once, with a status of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        ray.shutdown()


def annotate_problems(store: Store, config: RunConfig, templates: dict[str, str], model: str) -> None:
    """Runs the graph over every problem that the checkpoint does not hold yet.

    A block is committed as a whole: its rows are in the ledger and in the checkpoint, or in neither.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.checkpoint import CheckpointConfig

    context = DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.checkpoint_config = CheckpointConfig(
        id_column="problem_id",
        checkpoint_path=store.path("checkpoint"),
        override_filesystem=store.filesystem,
        delete_checkpoint_on_success=False,
    )
    blocks_in_flight = max(1, config.engine.max_in_flight // config.ray.rows_per_block)
    (
        ray.data.read_parquet(store.problem_files(), filesystem=store.filesystem)
        .repartition(target_num_rows_per_block=config.ray.rows_per_block)
        .map_batches(
            Annotator,
            fn_constructor_args=(config, templates, model),
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(
                size=config.engine.replicas,
                max_tasks_in_flight_per_actor=2 * blocks_in_flight,
                max_concurrent_calls_per_actor=blocks_in_flight,
            ),
            # An engine that held a CPU would starve the checkpoint's filter on a small machine: the run would hang.
            num_cpus=0,
            num_gpus=_gpus_per_engine(config),
        )
        .write_parquet(store.path("annotations"), filesystem=store.filesystem)
    )


def _gpus_per_engine(config: RunConfig) -> int:
    import ray

    has_gpus = ray.cluster_resources().get("GPU", 0) > 0
    return config.engine.tensor_parallel_size if config.engine.kind == "vllm" and has_gpus else 0
