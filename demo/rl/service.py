"""The reward model behind all trainings: one `visualprm serve`, started and stopped here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StartError
from stages.rewards.rewarder import URL

PATIENCE_S = 300
"""How long the model may take to load."""


@contextmanager
def served(model: Path, log: Path) -> Iterator[str]:
    """The service's address, which `VISUALPRM_REWARD_URL` names to processes that are started meanwhile.

    Raises:
        StartError: it ended, or does not answer.
    """
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "pipeline.cli", "serve", str(model), "--backend", "hf", "--port", str(port))
    log.parent.mkdir(parents=True, exist_ok=True)
    before = os.environ.get(URL)
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            end = time.monotonic() + PATIENCE_S
            while True:
                if (status := process.poll()) is not None:
                    raise StartError(f"the reward model's service ended with status {status}: {log} says why")
                if time.monotonic() > end:
                    raise StartError(f"the reward model's service does not answer after {PATIENCE_S} s: see {log}")
                with suppress(httpx.TransportError):
                    if httpx.get(f"{address}/health", timeout=5).status_code == httpx.codes.OK:
                        break
                time.sleep(0.5)
            os.environ[URL] = address
            yield address
        finally:
            process.terminate()
            if before is None:
                os.environ.pop(URL, None)
            else:
                os.environ[URL] = before
