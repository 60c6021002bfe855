"""A user's own functions: found where the command is called, and one line where they can't be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import parse_config
from pipeline.errors import UserError
from pipeline.functions import named_function
from stages.publish.sections import check_sections

MODULES = {
    "mine_whole": "NUMBER = 3\n\ndef section(store, folder, ledger):\n    return 'mine'\n",
    "mine_unwritten": "def section(:\n",
    "mine_unnamed": "undefined\n",
    "mine_verbose": "raise ValueError('one\\ntwo')\n",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules in the working directory, of which Python's path knows nothing."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", ".")])
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_module_is_found_in_the_working_directory() -> None:
    assert named_function("mine_whole:section", "--oracle")(None, "", ()) == "mine"
    sources = [{"name": "a", "path": "rows.jsonl"}]
    check_sections(
        parse_config({"name": "x", "sources": sources, "publish": {"card_sections": ["mine_whole:section"]}})
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine_whole", "write it as module:function"),
        (":section", "write it as module:function"),
        ("mine_absent:section", "mine_absent can't be imported: ModuleNotFoundError: No module named 'mine_absent'"),
        ("mine_unwritten:section", "mine_unwritten can't be imported: SyntaxError: "),
        ("mine_unnamed:section", "mine_unnamed can't be imported: NameError: name 'undefined' is not defined"),
        ("mine_verbose:section", "mine_verbose can't be imported: ValueError: one; correct it"),
        ("mine_whole:sections", "mine_whole has no function 'sections'; correct the name"),
        ("mine_whole:NUMBER", "mine_whole has no function 'NUMBER'; correct the name"),
    ],
)
def test_what_is_no_function_is_one_line(name: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        named_function(name, "publish.card_sections")
    assert str(caught.value).startswith(f"publish.card_sections {name}: {words}")
    assert "\n" not in str(caught.value)
