from __future__ import annotations

import pytest

from pipeline.cli import _parse


def test_overrides_stand_before_or_behind_flags() -> None:
    options = _parse(
        ["publish", "runs/x", "label.threshold=0.5", "--reverify", "verify.compat=internvl", "output_dir=y"]
    )
    assert options.reverify
    assert options.words == ["runs/x", "label.threshold=0.5", "verify.compat=internvl", "output_dir=y"]
    assert _parse(["plan", "x.yaml", "--gpu", "h100", "seed=1"]).overrides == ["seed=1"]


@pytest.mark.parametrize("arguments", [["status", "runs/x", "more"], ["plan", "x.yaml", "--gpus", "h100"]])
def test_what_no_command_knows_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        _parse(arguments)
