"""Counts the starts of vLLM in a run of pytest: they are its slowest part.

vLLM takes a logging configuration from a file; ours adds a line to another file whenever an engine begins, in whatever
process.
"""

from __future__ import annotations

import json
from pathlib import Path

MOST = 8
"""Of `make test`. A module that starts an engine shares it; what needs more of them is for `make test-more`."""
BEGINS = "Initializing a V1 LLM engine"


def logging_config(lines: Path) -> str:
    """The text of a configuration by which vLLM warns as usual and writes the beginnings of its engines to `lines`."""
    return json.dumps(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "usual": {"format": "%(levelname)s %(name)s: %(message)s"},
                "short": {"format": f"%(message).{len(BEGINS)}s"},
            },
            "handlers": {
                "usual": {"class": "logging.StreamHandler", "formatter": "usual", "level": "WARNING"},
                "lines": {"class": "logging.FileHandler", "formatter": "short", "filename": str(lines), "delay": True},
            },
            "loggers": {
                "vllm": {"handlers": ["usual"], "level": "WARNING", "propagate": False},
                "vllm.v1.engine.core": {"handlers": ["lines"], "level": "INFO"},
            },
        }
    )


def count(lines: Path) -> int:
    return lines.read_text().splitlines().count(BEGINS) if lines.exists() else 0
