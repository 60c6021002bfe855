"""The count of vLLM's starts, without vLLM: what it does with a logging configuration is `dictConfig`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests import vllm_starts

PROGRAM = """
import json, logging, logging.config, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
core = logging.getLogger("vllm.v1.engine.core")
core.info("Initializing a V1 LLM engine (v%s) with config: %s", "0", "model='x',\\nseed=0")
core.info("GPU KV cache size: 8 tokens")
core.warning("slow")
logging.getLogger("vllm.v1.worker").info("quiet")
logging.getLogger("vllm.v1.worker").warning("loud")
"""


def test_every_engine_that_begins_is_counted_and_the_rest_is_said_as_usual(tmp_path: Path) -> None:
    lines = tmp_path / "starts"
    assert vllm_starts.count(lines) == 0
    for starts in (1, 2):
        command = [sys.executable, "-c", PROGRAM, vllm_starts.logging_config(lines)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr.splitlines() == ["WARNING vllm.v1.engine.core: slow", "WARNING vllm.v1.worker: loud"]
        assert vllm_starts.count(lines) == starts


def test_vllm_still_says_so_when_an_engine_begins() -> None:
    spec = importlib.util.find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    source = Path(spec.submodule_search_locations[0], "v1/engine/core.py").read_text(encoding="utf-8")
    assert f'"{vllm_starts.BEGINS} ' in source
