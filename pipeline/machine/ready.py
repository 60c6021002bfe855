"""Makes this machine ready for a node of Ray: where it listens, its token, and how many files it may open."""

from __future__ import annotations

import os
import resource
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES = 65_536
"""That many files each process of Ray may open at once, where the machine lets it."""
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE")


@contextmanager
def ready_for_ray() -> Iterator[None]:
    """For the body that starts the node."""
    allow_files()
    give_token()
    with loopback():
        yield


def allow_files() -> None:
    """Raises the limit on open files to what the machine allows this user: a shell's is often 1,024, some have 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def give_token() -> None:
    """Ray keeps the token of its nodes in the home folder; where that can't be written, this process has one of its own."""
    if any(name in os.environ for name in _TOKENS):
        return
    try:
        folder = Path.home() / ".ray"
        folder.mkdir(parents=True, exist_ok=True)
        kept = (folder / "auth_token").is_file() or os.access(folder, os.W_OK)
    except (OSError, RuntimeError):
        kept = False
    if not kept:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextmanager
def loopback() -> Iterator[None]:
    """A node that starts in the body listens on this machine's loopback interface alone.

    Ray does so on other systems than Linux, where it makes no cluster. Told an address, it would take the machine's own in
    place of 127.0.0.1, and most of its servers listen on all.
    """
    from ray._private import ray_constants

    name, before = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    # For the node's processes, and the workers that they start.
    told = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        if told is None:
            del os.environ[name]
        else:
            os.environ[name] = told
