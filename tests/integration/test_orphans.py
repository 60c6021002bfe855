"""Whoever holds an engine may end in any way: its processes end, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.conftest import environment
from tests.places import ROOT
from tests.waiting import wait_until

ENGINE_ENDS_S = 10.0
"""Within which no process of an engine is left."""
HOLDER = """
import sys, time
from pipeline.config import EngineConfig
from pipeline.engine import make_engine

if __name__ == "__main__":
    engine = make_engine(EngineConfig(model=sys.argv[1], args={"kv_cache_memory_bytes": 1 << 28}))
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.more
def test_an_engine_ends_with_a_holder_that_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "holder.py"
    program.write_text(HOLDER)
    holder = subprocess.Popen(
        [sys.executable, program, ROOT / "demo" / "policy"], stdout=subprocess.PIPE, env=environment()
    )
    assert holder.stdout is not None
    try:
        assert b"ready\n" in holder.stdout, "the engine did not start"
        engine = psutil.Process(holder.pid).children(recursive=True)
        names = " ".join(" ".join(process.cmdline()) for process in engine)
        assert "EngineCore" in names, names
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    before = time.monotonic()
    wait_until(lambda: not [process for process in engine if process.is_running()], 120)
    assert time.monotonic() - before < ENGINE_ENDS_S
