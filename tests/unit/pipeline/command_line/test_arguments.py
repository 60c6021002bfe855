"""What several commands share of their arguments."""

from __future__ import annotations

import pytest

from pipeline.command_line.arguments import settings_apart
from pipeline.errors import UserError


def test_an_address_with_options_is_no_setting() -> None:
    words = ["s3://bucket/run?region=eu", "label.threshold=0.5", "runs/a", "sources.0.images=x"]
    assert settings_apart(words, "publish", "a run directory") == (
        ["s3://bucket/run?region=eu", "runs/a"],
        ["label.threshold=0.5", "sources.0.images=x"],
    )


def test_settings_alone_are_one_line() -> None:
    with pytest.raises(UserError, match="publish: name a run directory before the settings"):
        settings_apart(["label.threshold=0.5"], "publish", "a run directory")
