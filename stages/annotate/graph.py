"""The Ray Data graph: problems → engines → ledger, with Ray's checkpoint as the record of what is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pipeline.cluster.places import wait_for_places
from pipeline.config import RunConfig
from pipeline.store import Store
from pipeline.version import version
from stages.annotate.actor import EngineActor
from stages.annotate.annotator import Annotator
from stages.annotate.done import checkpoint_manager
from stages.annotate.ledger_sink import ledger_sink
from stages.annotate.tally import Tally


def annotate_problems(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, files: Sequence[str], before: Tally
) -> None:
    """Annotates every problem of these problem files that the checkpoint does not hold yet.

    `before` is what the ledger held already.
    """
    run_graph(store, config, files, Annotator, (config, templates, model, version(), before.row()))


def run_graph(
    store: Store, config: RunConfig, files: Sequence[str], actor: type[EngineActor], arguments: tuple[Any, ...]
) -> None:
    """Runs the graph over every problem of these problem files that the checkpoint does not hold yet.

    A block is committed as a whole: its rows are in the ledger and in the checkpoint, or in neither.

    Args:
        actor: takes blocks of problems and gives rows, one a problem, with its `problem_id`.
        arguments: what it is made with.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.checkpoint import CheckpointConfig

    context = DataContext.get_current()
    context.enable_progress_bars = False
    # Ray would end a run whose first block takes half an hour: engines that load long, long solutions. `watch.py` knows a
    # hang from that.
    context.execution_no_progress_timeout_s = -1
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.checkpoint_config = CheckpointConfig(
        id_column="problem_id",
        checkpoint_path=store.path("checkpoint"),
        override_filesystem=store.filesystem,
        delete_checkpoint_on_success=False,
        checkpoint_manager_cls=checkpoint_manager(),
    )
    gpus = _gpus_per_engine(config)
    # One is enough to begin with: Ray Data takes the others as their places come.
    wait_for_places("an engine", [{"GPU": gpus}], config.ray.address, config.ray.wait_s)
    blocks_in_flight = max(1, config.engine.max_in_flight // config.ray.rows_per_block)
    (
        ray.data.read_parquet(list(files), filesystem=store.filesystem)
        .repartition(target_num_rows_per_block=config.ray.rows_per_block)
        .map_batches(
            actor,
            fn_constructor_args=arguments,
            # A block, which None would say, too; but Ray wants a number where an engine has a GPU, and refuses to start.
            batch_size=config.ray.rows_per_block if gpus else None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(
                size=config.engine.replicas,
                max_tasks_in_flight_per_actor=2 * blocks_in_flight,
                max_concurrent_calls_per_actor=blocks_in_flight,
            ),
            # An engine that held a CPU would starve the checkpoint's filter on a small machine: the run would hang.
            num_cpus=0,
            num_gpus=gpus,
        )
        .write_datasink(ledger_sink(store))
    )


def _gpus_per_engine(config: RunConfig) -> int:
    import ray

    has_gpus = ray.cluster_resources().get("GPU", 0) > 0
    return config.engine.tensor_parallel_size if config.engine.kind == "vllm" and has_gpus else 0
