"""vLLM's engine core ends with its parent: found as a plugin, without vLLM. With it: tests/integration/test_orphans.py."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.engine import parent
from tests.places import ROOT
from tests.waiting import wait_until

HOLDER = """
import multiprocessing, os, sys, time
from importlib.metadata import entry_points
from pipeline.engine.parent import offer_plugin

def core():
    # As vLLM does in a process that it starts.
    for plugin in entry_points(group="vllm.general_plugins"):
        plugin.load()()
    print("ready", os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    offer_plugin()
    offer_plugin()
    multiprocessing.get_context("spawn").Process(target=core, name="EngineCore").start()
    sys.stdin.read()
    os._exit(1)
"""


def hold(folder: Path, code: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A process that holds a core, which is there by then."""
    program = folder / "holder.py"
    program.write_text(HOLDER)
    holder = subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(code)},
    )
    assert holder.stdout is not None
    ready, pid = holder.stdout.readline().split()
    assert ready == "ready"
    return holder, psutil.Process(int(pid))


def end(holder: subprocess.Popen[str]) -> None:
    """Without a word to its children."""
    holder.communicate()
    assert holder.returncode == 1


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_core_ends_with_its_parent_where_only_this_package_came_along(tmp_path: Path) -> None:
    """As on a cluster's node, where each package lies in a folder of its own and nothing is installed."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "node" / "pipeline")
    holder, core = hold(tmp_path, tmp_path / "node")
    assert core.is_running()
    end(holder)
    wait_until(lambda: gone(core), 30)


def test_another_process_of_a_program_that_uses_vllm_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(parent.threading.Thread, "start", started.append)
    parent.end_with_parent()
    monkeypatch.setattr(multiprocessing.current_process(), "_name", "EngineCore")
    parent.end_with_parent()
    assert started == [], "this process is nobody's child"
