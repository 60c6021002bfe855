"""What a model's own files say, without loading it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import EngineConfig
from pipeline.inputs import located
from pipeline.model_files import model_config, model_file, text_config
from stages.plan.cost import decoder_parameters
from stages.plan.tiles import Pixels, Tiling, pixels, tiling


@dataclass(frozen=True)
class Model:
    """`config` is empty, `tiling`, `parameters` and `count_tokens` are None, where the files are not at hand."""

    config: Mapping[str, Any]
    tiling: Tiling | None
    parameters: float | None
    parameters_from: str
    count_tokens: Callable[[str], int] | None
    pixels: Pixels | None = None
    """How its processor counts pixels, if it does."""
    tiles: bool = True
    """Whether its processor cuts images into tiles, as `pipeline/engine/vllm.py` asks it; true where that is not known."""

    @property
    def text(self) -> Mapping[str, Any]:
        """The language model's part of the config."""
        return text_config(self.config)


def read_model(engine: EngineConfig) -> Model:
    """From a local folder or from what is already in the hub's cache; nothing is fetched."""
    place = located(engine.model, engine.folders)
    config = model_config(place)
    text = text_config(config)
    parameters, told, images = None, "unknown", _image_settings(place)
    if "num_hidden_layers" in text and "intermediate_size" in text:
        parameters, told = decoder_parameters(dict(text)), "the model's config"
    elif size := re.search(r"(\d+(?:\.\d+)?)B(?![a-zA-Z])", engine.model):
        parameters, told = float(size[1]) * 1e9, "the model's name"
    return Model(config, tiling(config), parameters, told, _counter(place), pixels(images), _cuts_tiles(images))


def reuses_prefixes(engine: EngineConfig, model: Model) -> bool:
    """Whether vLLM's prefix cache serves this policy: not where it is off, and not with hybrid attention (vLLM 0.32).

    There the engine's own check says at the start what is so on the cards at hand.
    """
    hybrid = "linear_attention" in (model.text.get("layer_types") or ())
    return bool(engine.args.get("enable_prefix_caching", not hybrid))


def _image_settings(model: str) -> Mapping[str, Any]:
    """Of the image processor; empty where they are not at hand."""
    for name, part in (("processor_config.json", "image_processor"), ("preprocessor_config.json", None)):
        path = model_file(model, name)
        settings = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        if images := (settings.get(part, {}) if part else settings):
            return dict(images)
    return {}


def _cuts_tiles(images: Mapping[str, Any]) -> bool:
    return int(images["max_patches"] or 1) > 1 if "max_patches" in images else True


def _counter(model: str) -> Callable[[str], int] | None:
    path = model_file(model, "tokenizer.json")
    if path is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
