"""Paths and addresses."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.store import Store, beside


@pytest.mark.parametrize(
    ("place", "moved"),
    [
        ("runs/x", "runs/x-bon8"),
        ("runs/x/", "runs/x-bon8"),
        ("runs/why?", "runs/why?-bon8"),
        ("s3://b/runs/x", "s3://b/runs/x-bon8"),
        ("s3://b/runs/x/?region=us-east-1", "s3://b/runs/x-bon8?region=us-east-1"),
        ("s3://b/x?endpoint_override=h:1&scheme=http", "s3://b/x-bon8?endpoint_override=h:1&scheme=http"),
    ],
)
def test_a_suffix_goes_to_the_name_of_a_place(place: str, moved: str) -> None:
    assert beside(place, "-bon8") == moved


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(UserError, match="nowhere://x"):
        Store("nowhere://x")
