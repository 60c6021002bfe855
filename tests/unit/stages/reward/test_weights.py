"""A checkpoint with a gap is refused wherever weights are loaded; tied weights are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import UserError
from stages.reward.model import ProcessRewardModel
from stages.reward.weights import check_weights, has_own_head, load_weights
from stages.train.base_model import load_model, merged
from stages.train.config import LoraSettings, ModelConfig
from tests.families import POLICY, family

NORM = "language_model.model.layers.0.post_attention_layernorm.weight"
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICY, tmp_path / "model"))


def change(folder: Path, how: Callable[[Tensors], Tensors]) -> None:
    (file,) = folder.glob("*.safetensors")
    save_file(how(load_file(file)), file, metadata={"format": "pt"})


def without(weights: Tensors) -> Tensors:
    return {name: value for name, value in weights.items() if name != NORM}


FAULTS = {
    "lacks": (without, "lacks model.language_model.layers.0.post_attention_layernorm.weight"),
    "more": (lambda held: {**held, "score.weight": held[NORM].clone()}, "has no place for score.weight"),
    "shape": (lambda held: {**held, NORM: torch.zeros(3, 5)}, "has another shape for model.language_model.layers.0"),
    "many": (
        lambda held: {name: value for name, value in held.items() if "layers.1." not in name},
        "and ",
    ),
}


@pytest.mark.parametrize("load", [lambda path: load_weights(path, path), lambda path: check_weights(path, path),
                                  ProcessRewardModel.from_pretrained, lambda path: load_model(ModelConfig(base=path))],
                         ids=["load", "check", "score", "train"])  # fmt: skip
@pytest.mark.parametrize(("how", "says"), FAULTS.values(), ids=FAULTS)
def test_a_gap_is_one_line_that_names_folder_and_keys(
    folder: Path, load: Callable[[str], object], how: Callable[[Tensors], Tensors], says: str
) -> None:
    change(folder, how)
    with pytest.raises(UserError) as error:
        load(str(folder))
    assert str(folder) in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_was_cut_is_one_line(folder: Path) -> None:
    (file,) = folder.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(UserError, match="can't be loaded"):
        ProcessRewardModel.from_pretrained(str(folder))


def test_tied_weights_are_no_gap(folder: Path) -> None:
    config = load_weights(str(folder), "model").config
    assert "lm_head.weight" not in "".join(load_file(next(folder.glob("*.safetensors"))))
    assert config.tie_word_embeddings or config.text_config.tie_word_embeddings


def test_adapters_with_a_gap_are_not_merged(tmp_path: Path) -> None:
    config = ModelConfig(base=str(POLICY), lora=LoraSettings(rank=2, targets=".*q_proj"))
    model = load_model(config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    expected = model.merge_and_unload().state_dict()
    found = merged(config, tmp_path).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    change(tmp_path, lambda held: dict(list(held.items())[1:]))
    with pytest.raises(UserError, match=f"{tmp_path}: .* lacks base_model"):
        merged(config, tmp_path)


def test_a_head_of_its_own_is_seen_in_the_checkpoint(tmp_path: Path) -> None:
    for tied in (True, False):
        folder = tmp_path / str(tied)
        family("qwen3_vl", tie_word_embeddings=tied)[0].save_pretrained(folder)
        assert has_own_head(str(folder)) is not tied
        family("qwen3_vl", tie_word_embeddings=tied)[0].save_pretrained(folder / "parts", max_shard_size="100KB")
        assert (folder / "parts/model.safetensors.index.json").is_file()
        assert has_own_head(str(folder / "parts")) is not tied
    assert has_own_head(str(tmp_path)) is None
