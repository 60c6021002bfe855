"""vLLM servers of a policy on this machine, as docs/serving_the_policy.md starts them on a CPU: for benchmarks and tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

STARTS_S = 600.0
"""One start took 100 s on a busy machine."""


def command(port: int, model: str = "demo/policy", more: Sequence[str] = ()) -> list[str]:
    """The whole command, for a policy that computes in float32 as the demo's does."""
    return [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port),
        "--host", "127.0.0.1", "--enable-scale-out", "--scheduling-policy", "priority", "--dtype", "float32",
        "--max-model-len", "4096", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "16384",
        "--max-num-seqs", "256", "--block-size", "32", "--enforce-eager", "--kv-cache-memory-bytes", str(2 << 30),
        "--limit-mm-per-prompt", '{"image": 16}', "--structured-outputs-config",
        '{"backend": "xgrammar", "disable_any_whitespace": true}', "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log", *more,
    ]  # fmt: skip


@dataclass
class Server:
    """A server that was started: its address, and its process with all that this started."""

    port: int
    core: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ, "VLLM_CPU_OMP_THREADS_BIND": str(self.core), "VLLM_LOGGING_LEVEL": "WARNING",
            "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false",
        }  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.port), stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def wait(self) -> None:
        """Until it answers.

        Raises:
            RuntimeError: it ended, or took too long.
        """
        deadline = time.monotonic() + STARTS_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the server did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def servers(count: int, folder: Path) -> Iterator[list[Server]]:
    """So many of them, each on a core of its own, started at once; none outlives the body."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        found = [
            Server(_free_port(), cores[-1 - number % len(cores)], folder / f"server{number}.log")
            for number in range(count)
        ]
        for server in found:
            stack.callback(server.kill)
            server.start()
        for server in found:
            server.wait()
        yield found


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port
