"""The policy's folder on another machine: as it lies there, or as it was sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import ray

from pipeline.config import EngineConfig
from pipeline.engine import parcel as parcels
from pipeline.engine.parcel import Parcel, packed, parcel_of, sizes_of
from pipeline.engine.policy import folder_fingerprint
from pipeline.errors import UserError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "driver" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / ".hidden").write_text("no part of it")
    (folder / "checkpoint-3").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In place of Ray's store and of the node's temporary folder."""
    monkeypatch.setattr(ray, "put", lambda data: [data])
    monkeypatch.setattr(ray, "get", lambda ref: ref[0])
    monkeypatch.setattr(parcels, "PIECE_BYTES", 3000)
    node = tmp_path / "node"
    node.mkdir()
    monkeypatch.setattr(parcels.tempfile, "tempdir", str(node))


def of(folder: Path) -> Parcel:
    found = parcel_of(EngineConfig(model=str(folder)))
    assert found is not None
    return found


def test_a_model_that_lies_here_is_used_where_it_lies(model: Path) -> None:
    parcel = of(model)
    assert parcel.sizes == (("config.json", 2), ("model.safetensors", 7000))
    assert parcel.bytes == 7002
    assert parcel.opened() == str(model)


@pytest.mark.parametrize("engine", [EngineConfig(model="owner/name"), EngineConfig(kind="scripted")])
def test_what_is_no_folder_is_not_sent(engine: EngineConfig) -> None:
    assert parcel_of(engine) is None


def test_a_model_that_is_not_here_is_written_once(model: Path, tmp_path: Path) -> None:
    sent = packed(of(model), ship=False)
    assert [len(pieces) for pieces in sent.pieces] == [1, 3]
    model.rename(model.with_name("elsewhere"))
    kept = Path(sent.opened())
    assert kept.is_relative_to(tmp_path / "node")
    assert folder_fingerprint(kept) == sent.fingerprint
    assert sizes_of(kept) == sent.sizes
    written = kept.stat().st_ctime_ns
    assert sent.opened() == str(kept)
    assert kept.stat().st_ctime_ns == written
    assert not list(kept.parent.glob("coming-*"))


def test_what_was_damaged_here_is_written_again(model: Path) -> None:
    sent = packed(of(model), ship=False)
    model.rename(model.with_name("elsewhere"))
    kept = Path(sent.opened())
    (kept / "config.json").write_text("[]")
    assert folder_fingerprint(Path(sent.opened())) == sent.fingerprint


def test_another_model_at_the_same_path_is_not_used(model: Path) -> None:
    sent = packed(of(model), ship=False)
    (model / "config.json").write_text("[]")
    assert sent.lies_here()
    assert sent.opened() != str(model)
    with pytest.raises(UserError, match="is not the model that it is at the driver: copy it there"):
        replace(sent, pieces=()).opened()


def test_a_model_that_changed_on_the_way_is_refused(model: Path) -> None:
    parcel = of(model)
    (model / "config.json").write_text("[]")
    sent = packed(parcel, ship=False)
    model.rename(model.with_name("elsewhere"))
    with pytest.raises(UserError, match="changed while it was sent"):
        sent.opened()


def test_a_large_model_is_sent_only_where_it_is_asked_for(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "ALWAYS_SENT_BYTES", 7001)
    assert not packed(of(model), ship=False).pieces
    assert packed(of(model), ship=True).pieces
