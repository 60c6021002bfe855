"""Ends vLLM's engine core when the process that holds it is gone, however it went.

vLLM ends it only where its holder ends in order; else it lives on with all its memory. Its workers follow it by a pipe of
their own. Not by the kernel's parent-death signal: that comes when the thread ends that started the child.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

INTERVAL_S = 1.0
"""Between two looks at the parent."""
PLUGIN = Path(__file__).parent / "plugin"
"""The folder where vLLM finds `end_with_parent` as an entry point. Part of this package and not of an installation's
metadata, so that it is there, too, where the code came to a cluster's node with the job, or stands on PYTHONPATH."""


def offer_plugin() -> None:
    """Before an engine is started in this process: lets its core find `end_with_parent`."""
    if str(PLUGIN) not in sys.path:
        sys.path.append(str(PLUGIN))
    # A core that is forked takes over that plugins are loaded already, and loads none.
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"


def end_with_parent() -> None:
    """The plugin, which vLLM calls in each of its processes: has an engine core end with its parent."""
    parent = multiprocessing.parent_process()
    if parent is not None and multiprocessing.current_process().name.startswith("EngineCore"):
        threading.Thread(target=_watch, args=(parent.pid,), daemon=True, name="end-with-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL_S)
    # Whatever its main thread does. What it would tidy up, its holder's end has made void.
    os.kill(os.getpid(), signal.SIGKILL)
