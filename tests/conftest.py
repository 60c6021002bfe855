"""What every test gets: no network, no reports to anyone, one thread for torch, no deadline for a property's example."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests import vllm_starts

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

settings.register_profile("default", deadline=None)
settings.load_profile("default")

STARTS = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """xdist's workers, and all that tests start, inherit the file to count in from the process that was called."""
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="vllm-starts-"))
        config.stash[STARTS] = folder / "starts"
        (folder / "logging.json").write_text(vllm_starts.logging_config(config.stash[STARTS]))
        os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(folder / "logging.json")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _too_many(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if starts := vllm_starts.count(config.stash[STARTS]):
        bound = f", more than {vllm_starts.MOST}: share an engine, or mark tests `more`" if _too_many(config) else ""
        terminalreporter.write_line(f"vLLM was started {starts} times{bound}")


def pytest_unconfigure(config: pytest.Config) -> None:
    if STARTS in config.stash:
        shutil.rmtree(config.stash[STARTS].parent, ignore_errors=True)


def _too_many(config: pytest.Config) -> bool:
    """Of the tests that a user runs; those marked `more` may start as many as they need."""
    if STARTS not in config.stash or config.option.markexpr != "not more":
        return False
    return vllm_starts.count(config.stash[STARTS]) > vllm_starts.MOST


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """The threads of one tiny model wait for each other: 20 times slower where the cores are shared."""
    if torch := sys.modules.get("torch"):  # any test that uses it has imported it by now
        torch.set_num_threads(1)
