"""Ray: joining a cluster, or starting Ray on this machine, for as long as something needs it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.inputs import PACKAGED

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
    """The code that travels with a job to a cluster, which has the packages that it needs but not this one.

    Its data files go with it. Ray puts each module into a folder of its own, where `pipeline.inputs` finds them.
    """
    return [importlib.import_module(name) for name in ("pipeline", "stages", *PACKAGED, "visualprm")]


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
