from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from pipeline.config import StrategyName
from pipeline.reference.describe import Setting, settings_of
from pipeline.settings import Strict
from stages.rollout.strategies import STRATEGIES


class Leaf(Strict):
    """A leaf."""

    size: int | None = Field(default=None, ge=1, lt=9)
    """Of the leaf,
    in mm."""


class Tree(Strict):
    """A tree."""

    name: str
    """Its name."""
    kind: Literal["oak", "elm"] | float = "oak"
    """What it is."""
    strategy: StrategyName = "fixed"
    """How it grows."""
    ages: tuple[Annotated[int, Field(ge=0)], ...] = (1, 2)
    """Years."""
    pair: tuple[float, float] = (0.5, 1e-5)
    """Two numbers."""
    more: dict[str, Any] = Field(default_factory=dict)
    """Anything."""
    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    """All leaves."""
    by_name: dict[str, Leaf] | None = None
    """Leaves by name."""


def found() -> dict[str, Setting]:
    return {each.key: each for each in settings_of(Tree)}


@pytest.mark.parametrize(
    ("key", "kind", "default", "meaning"),
    [
        ("name", "text", None, "Its name."),
        ("kind", "oak, elm or number", '"oak"', "What it is."),
        ("ages", "list of integer ≥ 0", "[1, 2]", "Years."),
        ("pair", "list of 2 (number, number)", "[0.5, 1e-05]", "Two numbers."),
        ("more", "keys and values", "{}", "Anything."),
        ("leaf.size", "integer ≥ 1 and < 9 or null", "null", "Of the leaf, in mm."),
        ("leaves", "list of groups of keys, as leaf", "[]", "All leaves."),
        ("by_name", "groups of keys by name, as leaf", "null", "Leaves by name."),
    ],
)
def test_a_field_is_told_with_its_type_bounds_default_and_docstring(
    key: str, kind: str, default: str | None, meaning: str
) -> None:
    assert found()[key] == Setting(key, kind, default, meaning)


def test_names_of_a_registry_are_the_choices() -> None:
    kind = found()["strategy"].type
    assert all(name in kind for name in STRATEGIES)


def test_keys_stand_in_the_order_of_the_fields_and_each_once() -> None:
    keys = [each.key for each in settings_of(Tree)]
    assert keys == ["name", "kind", "strategy", "ages", "pair", "more", "leaf.size", "leaves", "by_name"]


def test_the_keys_of_a_list_of_groups_have_an_index() -> None:
    class Forest(Strict):
        trees: tuple[Leaf, ...]
        """Of the forest."""

    keys = {each.key: each for each in settings_of(Forest)}
    assert keys["trees"].default is None
    assert keys["trees"].type == "list of groups of keys, see below"
    assert keys["trees.N.size"].meaning == "Of the leaf, in mm."
