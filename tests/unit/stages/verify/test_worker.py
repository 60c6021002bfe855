"""A verifier's process at its edges; what it answers is shown by test_pool.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.places import ROOT

SERVE = """
import os, sys
from stages.verify.worker import _serve
_serve(os.dup(1), 5.0, 1 << 30, parent=int(sys.argv[1]))
"""


def served(parent: int) -> tuple[int, bytes]:
    """How a child that was forked by `parent`, and whose parent now is this process, ends when it is asked; its answer."""
    request = json.dumps([1, "2", "3", []]).encode() + b"\n"
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(parent)], cwd=ROOT, input=request, stdout=subprocess.PIPE, check=False
    )
    return done.returncode, done.stdout


def test_a_child_whose_parent_is_gone_answers_nothing() -> None:
    ended, answer = served(parent=os.getpid())
    assert ended == 0
    assert json.loads(answer)[0] == 1
    assert served(parent=1 << 30) == (0, b"")
