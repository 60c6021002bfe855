"""The order of imports, and what else keeps the house in order. Each message says what to do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import ROOT

ORDER = (
    ("pipeline",),
    ("pipeline.engine",),
    ("stages.label", "stages.split", "stages.metrics"),
    ("stages.verify",),
    ("stages.load",),
    ("stages.rollout",),
    ("stages.annotate",),
    ("stages.publish",),
    ("stages.reward",),
    ("stages.exchange",),
    ("stages.train",),
    ("stages.evaluate",),
    ("stages.frontier",),
    ("stages.best_of_n",),
    ("stages.plan",),
    ("stages.build",),
    ("stages.score",),
    ("demo",),
    ("visualprm",),
)
"""The data's way. A file imports from its own package and from earlier ones. `stages.score` is an old name of `reward.model`."""
PLACE = {package: number for number, packages in enumerate(ORDER) for package in packages}
SOURCES = sorted(path for top in ("pipeline", "stages", "demo", "visualprm") for path in (ROOT / top).rglob("*.py"))


def package_of(module: str) -> str | None:
    """The package of `ORDER` that a module belongs to; None if it is not ours."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in PLACE), None)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_imports_only_from_its_own_package_or_earlier_ones(path: Path) -> None:
    own = package_of(module_of(path))
    if own is None:
        assert path == ROOT / "stages/__init__.py", f"{path}: give its package a place in ORDER"
        return
    for line, name in imported(path):
        other = package_of(name)
        assert other is None or other == own or PLACE[other] < PLACE[own], (
            f"{path.relative_to(ROOT)}:{line}: {own} imports {name}, which comes later in the order: move what it needs "
            "to an earlier package, or let the caller hand it over"
        )


HEAVY = ("ray", "vllm", "torch", "transformers")
"""Packages that take seconds to import."""


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"]], ids=" ".join)
def test_commands_without_an_engine_import_no_heavy_package(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom pipeline.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:", "import it in the function that uses it"
