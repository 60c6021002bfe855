"""The public names: all there, loaded late. What they do, docs/python_api.md shows; tests/integration runs its examples."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import visualprm
from pipeline.version import version
from tests.places import ROOT


def test_every_name_is_there() -> None:
    assert all(getattr(visualprm, name) is not None for name in visualprm.__all__)
    assert set(visualprm.__all__) <= set(dir(visualprm))
    assert visualprm.__version__ == version()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = visualprm.nothing


def test_type_checkers_are_told_the_same_places() -> None:
    tree = ast.parse((ROOT / "visualprm" / "__init__.py").read_text())
    told = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == visualprm._HOMES
    assert {*told, "__version__"} == set(visualprm.__all__)


def test_the_page_names_every_name() -> None:
    page = (ROOT / "docs" / "python_api.md").read_text()
    assert [name for name in visualprm._HOMES if f"`{name}`" not in page] == []


def test_importing_it_loads_almost_nothing() -> None:
    program = "import sys; before = set(sys.modules); import visualprm; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"pipeline", "stages", "pydantic", "numpy", "pyarrow", "ray", "torch", "transformers", "vllm"}
