"""Ray: joining a cluster, or starting Ray on this machine, for as long as something needs it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.cluster.head import head_watched
from pipeline.cluster.joining import join
from pipeline.config import RunConfig
from pipeline.errors import EngineDead, StartError, UserError
from pipeline.inputs import PACKAGED
from pipeline.machine.ready import ready_for_ray
from pipeline.stopping.node import Node, children, end, leave_ray, node_watched
from pipeline.terminal.foreign import shortened, telling
from pipeline.terminal.speak import say

WAITS_S = (10.0, 30.0)
"""Seconds before the second and the third try to start Ray on this machine."""

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


def own_modules() -> list[ModuleType]:
    """The code that travels with a job to a cluster, which has the packages that it needs but not this one.

    Its data files go with it. Ray puts each module into a folder of its own, where `pipeline.inputs` finds them.
    """
    return [importlib.import_module(name) for name in ("pipeline", "stages", *PACKAGED, "visualprm")]


@contextmanager
def ray_at(address: str | None) -> Iterator[None]:
    """Joins the cluster at `address`, or starts Ray on this machine, and leaves it at the end.

    Raises:
        UserError: no cluster is there, or it does not let us in.
        StartError: Ray did not start on this machine, or what ran in it ended by a fault of Ray, a node or a process.
    """
    if address:
        options: dict[str, Any] = {"runtime_env": {"env_vars": WORKER_ENV, "py_modules": own_modules()}}
    else:
        # What Ray starts here inherits this; a runtime_env would leave the workers that it starts ahead unused.
        os.environ.update({**WORKER_ENV, "RAY_USAGE_STATS_ENABLED": "0"})
        # Reading, the filter of what is done and writing each want a CPU; with one they would wait for each other.
        options = {"num_cpus": max(2, os.cpu_count() or 1)}
    with ray_started(address, logging_level=logging.WARNING, **options):
        yield


@contextmanager
def ray_started(address: str | None, **options: Any) -> Iterator[None]:
    """`start_ray` for the body. Afterwards Ray is left, and of what was started on this machine nothing runs.

    Raises:
        UserError: no cluster is there, or it does not let us in.
        StartError: Ray did not start on this machine, or its node here ended or was stopped meanwhile.
    """
    import ray

    others = children()
    start_ray(address, **options)
    node = None if address else Node(others)
    gone = threading.Event()
    try:
        if node:
            with node_watched(node), faults_in_one_line():
                yield
        else:
            head = ray.get_runtime_context().gcs_address
            with head_watched(address or "", head, gone), faults_in_one_line():
                yield
    finally:
        # Of a head that is gone, Ray would take leave until it gives up, and ends the process.
        leave_ray(node, 5.0 if gone.is_set() else None)


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """Turns what Ray raises about a process or node that is gone, or about an error in one, into a line of ours.

    Raises:
        StartError: in place of Ray's own errors, whose text is a traceback. Those of ours that Ray brings stay.
    """
    from ray.exceptions import RayActorError, RayError, RayTaskError

    try:
        yield
    except RayError as error:
        if isinstance(getattr(error, "cause", None), (UserError, EngineDead, StartError, OSError)):
            raise
        lines = str(error).splitlines()
        why = telling(lines) or next(filter(None, map(shortened, lines)), type(error).__name__)
        if isinstance(error, RayActorError) and "creation task" in str(error):
            what = "the engine did not start"
        else:
            what = "a process in Ray failed" if isinstance(error, RayTaskError) else "Ray lost a process or a node"
        raise StartError(f"{what} ({why})") from error


def start_ray(address: str | None, **options: Any) -> None:
    """Every start of Ray: joins the cluster at `address`, or starts Ray on this machine, with up to three tries.

    Args:
        options: of `ray.init`.

    Raises:
        UserError: no cluster is there, or it does not let us in.
        StartError: Ray did not start on this machine.
    """
    import ray

    # It warns that access to the cluster needs a token, which every process here has.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    stop = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            join(address, options)
        elif ray.is_initialized():
            raise RuntimeError("Ray already runs in this process: call ray.shutdown() first")
        else:
            with ready_for_ray():
                _start_here({"address": "local", "include_dashboard": False, **options})
    finally:
        # Ray's own handler would end the process at once, with a status of its own.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler if stop is signal.SIG_DFL else stop)


def _start_here(options: dict[str, Any]) -> None:
    """A node that does not register within Ray's fixed 30 seconds, as on a busy machine, is started again.

    Raises:
        StartError: so often in vain.
    """
    import ray

    tries = len(WAITS_S) + 1
    for number, wait_s in enumerate((*WAITS_S, None), 1):
        others = children()
        try:
            ray.init(**options)
            return
        except Exception as error:
            if not _gave_up(error):
                raise
            ray.shutdown()
            end(children() - others)
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            if wait_s is None:
                logs = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray/session_latest/logs")
                raise StartError(
                    f"Ray did not start on this machine in {tries} tries ({reason}): wait until the machine is less "
                    f"busy, or look into {logs}"
                ) from error
            say(f"Ray did not start ({reason}): try {number + 1} of {tries} follows in {wait_s:.0f} s")
            time.sleep(wait_s)


def _gave_up(error: Exception) -> bool:
    """Whether a part of Ray was too slow or ended, which another try may mend.

    Ray has no class for it: a node that registers too late is a bare `Exception`, a missing port a `RuntimeError`.
    What is wrong with an option or the disk is a `ValueError` or another `OSError`.
    """
    from ray.exceptions import RayError

    return type(error) in (Exception, RuntimeError) or isinstance(error, (TimeoutError, ConnectionError, RayError))
