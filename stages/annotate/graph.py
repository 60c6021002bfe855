"""The Ray Data graph: problems → engines → ledger, with Ray's checkpoint as the record of what is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from pipeline.cluster.places import wait_for_places
from pipeline.config import EngineConfig, RunConfig
from pipeline.store import Store
from pipeline.terminal.speak import say
from pipeline.version import version
from stages.annotate.actor import EngineActor
from stages.annotate.annotator import Annotator
from stages.annotate.done import checkpoint_manager
from stages.annotate.ledger_sink import ledger_sink
from stages.annotate.nodes import Nodes
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
    # Where the number of engines follows the cluster, Ray Data adds them as soon as all have work and there are places: its own
    # threshold would add one in the time that one takes to load.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    # And it would end an engine that has loaded for minutes, because nothing has come to it yet.
    context.autoscaling_config.actor_pool_util_downscaling_threshold = -1.0
    # What an engine says of its end reaches the terminal as it was said, and not as a fault in "user code".
    context.raise_original_map_exception = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.checkpoint_config = CheckpointConfig(
        id_column="problem_id",
        checkpoint_path=store.path("checkpoint"),
        override_filesystem=store.filesystem,
        delete_checkpoint_on_success=False,
        checkpoint_manager_cls=checkpoint_manager(),
    )
    nodes = Nodes(store, config) if config.ray.address else None
    if nodes:
        nodes.refuse()
    have_gpus = ray.cluster_resources().get("GPU", 0) > 0
    gpus = gpus_per_engine(config.engine, have_gpus or (nodes is not None and nodes.made_for_gpus))
    fewest, most = engines_at_once(config.engine, gpus, len(nodes.known) if nodes else 1)
    if nodes:
        say(f"{asked(fewest, most, gpus)}: ray.address={config.ray.address} has {nodes.summary()}")
    # One is enough to begin with: Ray Data takes the others as their places come.
    wait_for_places("an engine", [{"GPU": gpus}], config.ray.address, config.ray.wait_s)
    blocks_in_flight = max(1, config.engine.max_in_flight // config.ray.rows_per_block)
    with nodes.newcomers_checked() if nodes else nullcontext():
        (
            ray.data.read_parquet(list(files), filesystem=store.filesystem)
            .repartition(target_num_rows_per_block=config.ray.rows_per_block)
            .map_batches(
                actor,
                fn_constructor_args=arguments,
                fn_constructor_kwargs={"wanted": nodes.wanted if nodes else None},
                # A block, which None would say, too; but Ray wants a number where an engine has a GPU, and refuses to start.
                batch_size=config.ray.rows_per_block if gpus else None,
                batch_format="pyarrow",
                compute=ActorPoolStrategy(
                    min_size=fewest,
                    max_size=most,
                    initial_size=first_engines(fewest, most, gpus, ray.cluster_resources().get("GPU", 0)),
                    max_tasks_in_flight_per_actor=2 * blocks_in_flight,
                    max_concurrent_calls_per_actor=blocks_in_flight,
                ),
                # An engine that held a CPU would starve the checkpoint's filter on a small machine: the run would hang.
                num_cpus=0,
                num_gpus=gpus,
            )
            .write_datasink(ledger_sink(store))
        )


def gpus_per_engine(engine: EngineConfig, can_have_gpus: bool) -> float:
    """GPUs that Ray sets aside for one engine. Pure."""
    if engine.gpus is not None:
        return engine.gpus
    return engine.tensor_parallel_size if engine.kind == "vllm" and can_have_gpus else 0


def engines_at_once(engine: EngineConfig, gpus: float, nodes: int) -> tuple[int, int | None]:
    """The fewest and the most; None where only Ray's GPUs set a bound. Pure.

    Without GPUs there is no such bound: then one engine a node, of those that there are at the start.
    """
    fewest, most = engine.bounds
    if most is None and not gpus:
        most = max(fewest, nodes)
    return fewest, most


def first_engines(fewest: int, most: int | None, gpus: float, all_gpus: float) -> int:
    """How many engines are started at once: as many as there are places for, within the bounds. Pure."""
    places = int(all_gpus / gpus) if gpus else most or fewest
    return max(fewest, places if most is None else min(places, most))


def asked(fewest: int, most: int | None, gpus: float) -> str:
    """`2 to 8 engines of 1 GPU each`. Pure."""
    if fewest == most:
        number = f"{fewest} engine{'s' * (fewest > 1)}"
    else:
        number = f"{fewest} or more engines" if most is None else f"{fewest} to {most} engines"
    each = f" of {gpus:g} GPU{'s' * (gpus != 1)} each"
    return number + each * (gpus > 0)
