"""New layers: nothing changes when they are put on, they alone are trained, and plain transformers loads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from stages.train import base_model
from stages.train.config import ModelConfig, TrainConfig
from tests.families import family

NAMES = ("internvl", "qwen2_5_vl", "qwen3_vl")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 17)[None]).logits


@pytest.mark.parametrize("name", NAMES)
def test_new_layers_change_nothing_are_trained_alone_and_can_be_loaded(tmp_path: Path, name: str) -> None:
    plain, _ = family(name)
    plain.save_pretrained(tmp_path / "base")
    settings = ModelConfig(base=str(tmp_path / "base"), attention="eager", new_layers=2)
    model = base_model.load_model(settings)
    depth = len(plain.get_decoder().layers)
    torch.testing.assert_close(logits(model), logits(plain), atol=1e-4, rtol=1e-4)
    trained = {path for path, parameter in model.named_parameters() if parameter.requires_grad}
    new = {path for path in trained if f"layers.{depth}." in path or f"layers.{depth + 1}." in path}
    assert len(new) == 2 * len(list(model.get_decoder().layers[-1].parameters()))
    assert {path.removesuffix(".weight").split(".")[-1] for path in trained - new} == {"norm"}

    with torch.no_grad():
        for parameter in model.get_decoder().layers[-1].parameters():
            parameter.add_(0.1)
    base_model.save_weights(model, None, "float32", tmp_path / "deeper")
    modes = {file.stat().st_mode for file in (tmp_path / "deeper").iterdir()}
    assert len(modes) == 1, "who may read the config may read the weights"
    again = type(model).from_pretrained(tmp_path / "deeper").eval()
    assert len(again.get_decoder().layers) == depth + 2
    torch.testing.assert_close(logits(again), logits(model), atol=1e-4, rtol=1e-4)
    assert (logits(again) - logits(plain)).abs().max() > 0.01


def test_layers_of_another_make_are_refused(tmp_path: Path) -> None:
    from stages.train.new_layers import deepen

    model, _ = family("internvl")
    del model.get_decoder().layers[-1].mlp.down_proj
    with pytest.raises(UserError, match=r"model\.new_layers: .* no mlp\.down_proj"):
        deepen(model, 1)


def test_not_together_with_adapters() -> None:
    with pytest.raises(ValueError, match="choose one"):
        TrainConfig.model_validate(
            {"name": "t", "data": {"path": "d"}, "model": {"base": "m", "new_layers": 1, "lora": {}}}
        )
