"""The model that a training starts from: loaded, partly frozen, with adapters; and its weights when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config import EngineConfig
from pipeline.engine.policy import check_model, model_fingerprint
from pipeline.errors import UserError
from pipeline.hub import ask_hub
from pipeline.inputs import located
from pipeline.model_files import is_hub_id
from stages.reward.weights import check_keys, load_weights, loading_errors
from stages.train.config import ModelConfig
from stages.train.new_layers import deepen


def fingerprint(config: ModelConfig) -> str:
    """The model's name, and for a local folder a hash of its content.

    Raises:
        UserError: it is neither a model's folder nor a model of the hub.
        StartError: the hub does not answer.
    """
    engine = EngineConfig(model=located(config.base, config.folders))
    try:
        check_model(engine)
    except UserError as error:
        raise UserError(str(error).replace("engine.model", "model.base", 1)) from error
    if is_hub_id(engine.model):
        ask_hub(engine.model)
    return model_fingerprint(engine)


def load_processor(config: ModelConfig) -> Any:
    """Raises:
    UserError: it can't be loaded, or isn't one for images and conversations.
    """
    from transformers import AutoProcessor

    try:
        place = located(config.base, config.folders)
        processor = AutoProcessor.from_pretrained(place, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError) as error:
        raise UserError(f"model.base: {config.base}: {_first_line(error)}") from error
    if not getattr(processor, "image_processor", None) or not getattr(processor, "chat_template", None):
        raise UserError(
            f"model.base: {config.base} has no image processor or no chat template: give a vision-language model"
        )
    return processor


def context_length(config: ModelConfig) -> int | None:
    """The most tokens that the model reads, as scoring bounds them; None where its config doesn't say.

    Raises:
        UserError: the config can't be loaded.
    """
    from transformers import AutoConfig

    place = located(config.base, config.folders)
    with loading_errors(f"model.base: {config.base}"):
        found = AutoConfig.from_pretrained(place, trust_remote_code=config.trust_remote_code)
    longest: int | None = getattr(found.get_text_config(), "max_position_embeddings", None)
    return longest


def load_model(config: ModelConfig) -> Any:
    """The model as it is trained.

    Raises:
        UserError: it can't be loaded or deepened, or has no part of a name in `model.frozen`.
    """
    import torch

    model = load_weights(
        located(config.base, config.folders),
        f"model.base: {config.base}",
        dtype=getattr(torch, config.dtype),
        attn_implementation=config.attention,
        trust_remote_code=config.trust_remote_code,
    )
    if config.new_layers:
        deepen(model, config.new_layers)
    for name in config.frozen:
        _freeze(model, name)
    if config.lora is not None:
        model = _with_adapters(model, config)
        # Adapters in a frozen part would change it when they are merged.
        for name in config.frozen:
            _freeze(model, name)
    return model


def merged(config: ModelConfig, adapters: Path) -> Any:
    """The base model with trained adapters in its weights, on the CPU.

    Raises:
        UserError: either lacks weights.
    """
    from peft import PeftConfig, get_peft_model

    model = load_model(config.model_copy(update={"lora": None}))
    with loading_errors(str(adapters)):
        adapted = get_peft_model(model, PeftConfig.from_pretrained(str(adapters)))
        found = adapted.load_adapter(str(adapters), "default")
    check_keys(str(adapters), found.missing_keys, found.unexpected_keys)
    return adapted.merge_and_unload()


def save_weights(model: Any, state: dict[str, Any] | None, dtype: str, folder: Path) -> None:
    """Writes safetensors and config in this number type; tied weights once. `state` defaults to the model's own."""
    import copy

    import torch

    kind = getattr(torch, dtype)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    state = model.state_dict() if state is None else state
    weights = {name: tensor.to(kind) for name, tensor in state.items() if name not in tied}
    model.save_pretrained(folder, state_dict=weights)
    config = copy.deepcopy(model.config)
    config.dtype = kind
    config.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        # They come out readable by their owner alone, whatever the umask: useless in a folder that others share.
        file.chmod((folder / "config.json").stat().st_mode)


def _freeze(model: Any, name: str) -> None:
    parts = [module for path, module in model.named_modules() if path == name or path.endswith("." + name)]
    if not parts:
        known = sorted({path.split(".")[-1] for path, _ in model.named_modules() if path.count(".") == 1})
        raise UserError(f"model.frozen: {name!r} is not a part of this model: it has {', '.join(known)}")
    for part in parts:
        part.requires_grad_(False)


def _with_adapters(model: Any, config: ModelConfig) -> Any:
    from peft import LoraConfig, get_peft_model

    lora = config.lora
    assert lora is not None
    settings = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets)
    try:
        adapted = get_peft_model(model, settings)
    except ValueError as error:
        raise UserError(f"model.lora.targets: {_first_line(error)}") from error
    # With checkpointed activations gradients would end at the frozen embedding.
    adapted.enable_input_require_grads()
    return adapted


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
