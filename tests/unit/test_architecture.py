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
)
"""The data's way. A file imports from its own package and from earlier ones. `stages.score` is an old name of `reward.model`."""
PLACE = {package: number for number, packages in enumerate(ORDER) for package in packages}
SOURCES = sorted(path for top in ("pipeline", "stages", "demo") for path in (ROOT / top).rglob("*.py"))


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


def test_ray_is_started_in_one_place() -> None:
    """Where a start that Ray gives up is tried again."""
    starts = [path.relative_to(ROOT) for path in SOURCES if "ray.init(" in path.read_text(encoding="utf-8")]
    assert starts == [Path("pipeline/cluster.py")], "call pipeline.cluster.start_ray, or ray_at, instead of ray.init"


LONG = 80
"""Lines above which a module has a test file of its name, or stands in `COVERED`."""
COVERED = {
    "tests/integration/test_training": "stages/train: base_model",
    "tests/unit/demo/test_benchmark": "demo: drawing",
    "tests/unit/demo/test_policy": "demo: evaluate_policy model reasoning train_policy",
    "tests/unit/demo/test_reproduction": "demo: checks/tables reproduction/claims reproduction/document reproduction/plan",
    "tests/unit/pipeline/test_config": "pipeline: settings",
    "tests/unit/pipeline/engine/test_engine": "pipeline/engine: scripted",
    "tests/unit/stages/best_of_n/test_pool": "stages/best_of_n: markdown methods report scores summary",
    "tests/unit/stages/evaluate/test_prompted": "stages/evaluate: verdicts",
    "tests/unit/stages/evaluate/test_report": "stages/evaluate: table",
    "tests/unit/stages/evaluate/test_run": "stages/evaluate: open_critic",
    "tests/unit/stages/exchange/test_importing": "stages/exchange: conversations corpus raw",
    "tests/unit/stages/frontier/test_measure": "stages: frontier/report frontier/run frontier/runs rollout/audit rollout/ledger",
    "tests/unit/stages/load/test_parse": "stages/load: sources/fields",
    "tests/unit/stages/load/test_problems": "stages/load: screen",
    "tests/unit/stages/load/sources/test_readers": "stages/load/sources: files roots",
    "tests/unit/stages/plan/test_plan": "stages/plan: assumptions checks cost pilot text",
    "tests/unit/stages/publish/test_card": "stages/publish: stats",
    "tests/unit/stages/publish/test_dataset": "stages/publish: several_runs",
    "tests/unit/stages/publish/test_reverify": "stages/publish: flips",
    "tests/unit/stages/publish/test_rows": "stages/publish: shards",
    "tests/unit/stages/reward/test_model": "stages/reward: config",
    "tests/unit/stages/train/test_prepare": "stages/train: samples",
    "tests/unit/stages/verify/test_golden": "stages/verify: conclude hedges modes/date modes/number",
    "tests/unit/stages/verify/test_judge": "stages/verify: notation",
    "tests/unit/stages/verify/test_modes": "stages/verify/modes: list",
    "tests/unit/stages/verify/test_pool": "stages/verify: worker",
    "tests/unit/stages/verify/test_quantity": "stages/verify: units",
}
"""Tests of several modules: the test's file, then the folder of the modules and their names in it."""


def covered() -> dict[Path, Path]:
    """The test of each module of `COVERED`."""
    found: dict[Path, Path] = {}
    for test, modules in COVERED.items():
        folder, names = modules.split(": ")
        found |= {ROOT / folder / f"{name}.py": ROOT / f"{test}.py" for name in names.split()}
    return found


def own_test(path: Path) -> Path:
    """`stages/split.py`'s is `tests/unit/stages/test_split.py`; a package's may lie beside the package."""
    mirrored = ROOT / "tests" / "unit" / path.relative_to(ROOT)
    if path.name != "__init__.py":
        return mirrored.with_name(f"test_{path.stem}.py")
    inside = mirrored.with_name(f"test_{path.parent.name}.py")
    return inside if inside.exists() else inside.parent.parent / inside.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_a_long_module_has_a_test_of_its_name_or_stands_in_the_list(path: Path) -> None:
    if len(path.read_text(encoding="utf-8").splitlines()) > LONG and path not in covered():
        wanted = own_test(path)
        assert wanted.exists(), (
            f"{path.relative_to(ROOT)} has more than {LONG} lines: add {wanted.relative_to(ROOT)}, or name the test that "
            "covers it in COVERED"
        )


@pytest.mark.parametrize(("path", "test"), covered().items(), ids=lambda path: path.stem)
def test_the_list_holds_only_what_is_there(path: Path, test: Path) -> None:
    assert path.exists(), f"COVERED: {path.relative_to(ROOT)} is gone: take it out"
    assert test.exists(), f"COVERED: {test.relative_to(ROOT)} is gone: name the test that covers {path.name} now"
    assert not own_test(path).exists(), f"COVERED: {path.relative_to(ROOT)} has a test of its own: take it out"
