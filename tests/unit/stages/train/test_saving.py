"""What a full or failing disk is called when torch and safetensors meet it."""

from __future__ import annotations

import errno

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from stages.train.saving import saving_errors

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
