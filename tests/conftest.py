"""What every test gets: no network, no reports to anyone, one thread for torch, no deadline for a property's example."""

import os
import sys

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """The threads of one tiny model wait for each other: 20 times slower where the cores are shared."""
    if torch := sys.modules.get("torch"):  # any test that uses it has imported it by now
        torch.set_num_threads(1)
