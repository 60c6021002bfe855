"""Which verifier gave a verdict: the ledger records it, so that verdicts of two verifiers are never mixed unseen."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

REVISION = 6
"""Raised with every change that can change a verdict. Ledgers without a word of it are of revision 1 or before."""
LIBRARIES = ("math-verify", "latex2sympy2-extended", "sympy", "mpmath")
"""Packages that verdicts follow from, beside our own code."""


def libraries() -> dict[str, str]:
    """Their versions."""
    return {name: version(name) for name in LIBRARIES}


@cache
def verifier_version() -> str:
    """Our revision and the versions of the libraries: `2 math-verify=0.9.0 …`."""
    return " ".join([str(REVISION), *(f"{name}={held}" for name, held in libraries().items())])
