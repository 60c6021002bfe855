"""What a full or failing disk is called when torch and safetensors meet it; the sums of a checkpoint."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from stages.train.saving import Saving, saving_errors
from stages.train.stop import Stop

FULL = "/dev/full"


def test_a_full_disk_under_torch_is_one_line() -> None:
    with (
        pytest.raises(UserError, match=r"^runs/x: could not be written \(.*resumes from the last checkpoint") as caught,
        saving_errors("runs/x"),
    ):
        torch.save(torch.zeros(1 << 20), FULL)
    assert "\n" not in str(caught.value)


def test_what_the_system_says_is_said_as_elsewhere() -> None:
    with pytest.raises(UserError, match=r"^runs/x: no space left on the device"), saving_errors("runs/x"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_safetensors_keep_no_error_number() -> None:
    with pytest.raises(UserError, match=r"^out: "), saving_errors("out"):
        save_file({"a": torch.zeros(4)}, "/proc/no such place/x.safetensors")


def test_what_is_no_fault_of_a_disk_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), saving_errors("out"):
        raise RuntimeError("shapes don't fit")


def test_the_first_worker_notes_the_sums_of_a_checkpoint(tmp_path: Path) -> None:
    saving = Saving(cast(Any, None), 30.0, Stop(), now=lambda: 0.0)
    args = SimpleNamespace(world_size=1, output_dir=str(tmp_path))
    for step in (4, 8):
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file({"a": torch.zeros(4)}, tmp_path / f"checkpoint-{step}/model.safetensors")
        saving.on_save(args, SimpleNamespace(is_world_process_zero=step == 8, global_step=step), None)
    assert not (tmp_path / "checkpoint-4/manifest.json").exists()
    assert list(json.loads((tmp_path / "checkpoint-8/manifest.json").read_text())["files"]) == ["model.safetensors"]
