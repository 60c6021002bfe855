"""Runs the real command in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.places import ROOT

Command = Callable[..., subprocess.CompletedProcess]
Start = Callable[..., subprocess.Popen]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


def run(*arguments: object, timeout: float = 900) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=environment()
    )


@pytest.fixture
def visualprm() -> Command:
    """`visualprm(*arguments)` → the finished process; the repository is the working directory."""

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run of `scripted`, done and published: what only reads a run needs no Ray of its own."""
    folder = tmp_path_factory.mktemp("finished")
    done = run("dataset", scripted(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*arguments)` → the running process, in a process group of its own, with its output in a file."""
    running: list[subprocess.Popen] = []

    def popen(*arguments: object) -> subprocess.Popen:
        with (tmp_path / "output.log").open("a") as log:
            process = subprocess.Popen(
                command(*arguments),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
                # A shell has its background jobs ignore it, and what they start would, too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        running.append(process)
        return process

    yield popen
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def scripted(folder: Path, **changes: object) -> Path:
    """A config file for the scripted engine over small problems; `changes` replace top-level keys."""
    config = {
        "name": "scripted",
        "run_dir": str(folder / "run"),
        "output_dir": str(folder / "data"),
        "prompt": "prompts/demo_v1.txt",
        "sources": [{"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 24}}],
        "engine": {"kind": "scripted"},
        "sampling": {"num_solutions": 2, "max_tokens": 64},
        "rollout": {"num_draws": 4},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
