"""Which checkpoint a training resumes from: one that is whole, or none without saying so."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from stages.train.checkpoints import checkpoints, damage, holds_checkpoints, note_sums, resume_point

FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def checkpoint(run_dir: Path, step: int) -> Path:
    folder = run_dir / f"checkpoints/checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({"w": torch.arange(64.0)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"state": torch.arange(64.0), "step": step}, folder / name)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return folder


def test_the_newest_by_its_step_not_by_its_name(tmp_path: Path) -> None:
    for step in (8, 9, 10):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoints/checkpoint-old").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-10", "checkpoint-9", "checkpoint-8"]
    assert resume_point(tmp_path, 1) == (tmp_path / "checkpoints/checkpoint-10", "resuming from checkpoint-10")


def test_without_a_checkpoint_it_begins_without_a_word(tmp_path: Path) -> None:
    assert resume_point(tmp_path, 1) == (None, "")
    assert not holds_checkpoints(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["deleted", "emptied", "cut"])
def test_a_damaged_newest_one_falls_back_to_the_older_one_in_one_line(tmp_path: Path, name: str, how: str) -> None:
    older, newest = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    file = newest / name
    whole = file.read_bytes()
    if how == "deleted":
        file.unlink()
    else:
        file.write_bytes(whole[: len(whole) // 2] if how == "cut" else b"")
    place, line = resume_point(tmp_path, 1)
    assert place == older
    state = "missing" if how == "deleted" else "damaged"
    assert line == f"resuming from checkpoint-4 (checkpoint-8 can't be used: {name} is {state})"


@pytest.mark.parametrize("name", [name for name in FILES if name != "trainer_state.json"])
def test_without_an_older_one_it_is_refused(tmp_path: Path, name: str) -> None:
    (checkpoint(tmp_path, 8) / name).unlink()
    with pytest.raises(
        UserError, match=rf"checkpoints: checkpoint-8 can't be used: {name} is missing: restore .*, or remove"
    ):
        resume_point(tmp_path, 1)


def test_one_that_a_kill_cut_short_is_no_reason_to_refuse(tmp_path: Path) -> None:
    (checkpoint(tmp_path, 8) / "trainer_state.json").unlink()
    line = "starting over (checkpoint-8 can't be used: trainer_state.json is missing)"
    assert resume_point(tmp_path, 1) == (None, line)


def test_flipped_bits_in_what_torch_wrote_are_found(tmp_path: Path) -> None:
    """In the tensors; a flip in a field of the archive that nothing reads changes nothing."""
    file = checkpoint(tmp_path, 8) / "optimizer.pt"
    whole, tensor = file.read_bytes(), torch.arange(64.0).numpy().tobytes()
    at, draw = whole.index(tensor), random.Random(0)
    for _ in range(20):
        flipped = bytearray(whole)
        flipped[at + draw.randrange(len(tensor))] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        assert damage(file.parent, 1) == "optimizer.pt is damaged"


def test_flipped_bits_anywhere_never_end_in_a_traceback(tmp_path: Path) -> None:
    folder, draw = checkpoint(tmp_path, 8), random.Random(0)
    for name in FILES:
        whole = (folder / name).read_bytes()
        for _ in range(200):
            flipped = bytearray(whole)
            flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
            (folder / name).write_bytes(flipped)
            assert damage(folder, 1) in (None, f"{name} is damaged") or name == "trainer_state.json"
        (folder / name).write_bytes(whole)
    assert damage(folder, 1) is None


def test_flipped_bits_in_weights_are_found_by_the_manifest(tmp_path: Path) -> None:
    older, newest = checkpoint(tmp_path, 4), checkpoint(tmp_path, 8)
    note_sums(newest)
    note_sums(newest)
    assert sorted(json.loads((newest / "manifest.json").read_text())["files"]) == [
        "model.safetensors", "trainer_state.json",
    ]  # fmt: skip
    assert damage(newest, 1) is None
    file = newest / "model.safetensors"
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)
    assert damage(newest, 1) == "model.safetensors is not what was written"
    assert resume_point(tmp_path, 1)[0] == older
    (newest / "manifest.json").write_text("{")
    assert damage(newest, 1) == "manifest.json is damaged"


def test_parts_of_weights_have_sums(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 8)
    (folder / "pytorch_model_fsdp_0").mkdir()
    part = folder / "pytorch_model_fsdp_0/__0_0.distcp"
    part.write_bytes(b"part")
    note_sums(folder)
    part.write_bytes(b"trap")
    assert damage(folder, 1) == "pytorch_model_fsdp_0/__0_0.distcp is not what was written"


def test_a_state_of_another_step(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 8)
    (folder / "trainer_state.json").write_text('{"global_step": 4}')
    assert damage(folder, 1) == "trainer_state.json is of step 4"


def test_every_worker_has_its_random_state(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 8)
    assert damage(folder, 2) == "rng_state_0.pth is missing"
    for rank in range(2):
        torch.save({}, folder / f"rng_state_{rank}.pth")
    assert damage(folder, 2) is None


def test_weights_in_several_files_and_adapters(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, 8)
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "model-1.safetensors", "v": "model-2.safetensors"}}))
    assert damage(folder, 1) == "model-2.safetensors is missing"
    save_file({"v": torch.zeros(1)}, folder / "model-2.safetensors")
    assert damage(folder, 1) is None
    index.write_text("{}")
    assert damage(folder, 1) == "model.safetensors.index.json is damaged"
    index.unlink()
    (folder / "model-1.safetensors").rename(folder / "adapter_model.safetensors")
    assert damage(folder, 1) is None


def test_weights_and_optimiser_in_parts(tmp_path: Path) -> None:
    """As FSDP writes them."""
    folder = checkpoint(tmp_path, 8)
    (folder / "model.safetensors").unlink()
    (folder / "optimizer.pt").unlink()
    for name in ("pytorch_model_fsdp_0", "optimizer_0"):
        (folder / name).mkdir()
        (folder / name / "__0_0.distcp").write_bytes(b"part")
    assert damage(folder, 1) is None
    (folder / "optimizer_0/__0_0.distcp").write_bytes(b"")
    assert damage(folder, 1) == "optimizer_0/__0_0.distcp is damaged"
