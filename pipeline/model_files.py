"""What lies beside a model's weights: in a local folder or on the Hugging Face hub.

The hub's libraries honour HF_HUB_OFFLINE, and nothing is fetched unless it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.hub import ask_hub
from pipeline.inputs import located


def is_hub_id(model: str) -> bool:
    """Whether this is `owner/name` on the hub rather than a folder."""
    return model.count("/") == 1 and not model.startswith((".", "/", "~")) and not Path(model).parent.exists()


def model_file(model: str, name: str, fetch: bool = False) -> Path | None:
    """The file of a model, given as a folder or a hub id; None where it is not at hand.

    Args:
        fetch: asks the hub for what is not in its cache, so that None means that the model has no such file.

    Raises:
        UserError: the model can be neither; or it is to be fetched, and the hub doesn't know it, or can't be asked
            and the cache doesn't tell.
        StartError: the hub doesn't answer, and the cache lacks the model.
    """
    model = located(model)
    local = Path(model) / name
    if local.is_file():
        return local
    if not is_hub_id(model):
        return None
    from huggingface_hub import _CACHED_NO_EXIST, constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    # Without a network for once or for good, what the cache tells is enough.
    if fetch and not constants.HF_HUB_OFFLINE:
        ask_hub(model)
    try:
        return Path(hf_hub_download(model, name, local_files_only=not fetch))
    # Before its bases, EntryNotFoundError and OSError.
    except LocalEntryNotFoundError:
        if not fetch or try_to_load_from_cache(model, name) is _CACHED_NO_EXIST:
            return None
        held = try_to_load_from_cache(model, "config.json")
        mend = f"give its folder, {Path(held).parent}" if isinstance(held, str) else "download it and give its folder"
        raise UserError(
            f"{model}: the hub can't be reached and {name} is not in the cache, so it is not known whether the model "
            f"has one: {mend}"
        ) from None
    except EntryNotFoundError:
        return None
    except HFValidationError as error:
        raise UserError(f"{model}: neither a folder nor a model on the hub (owner/name): correct it") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(f"{model}: {str(error).strip().splitlines()[0]}") from error


def model_config(model: str) -> dict[str, Any]:
    """`config.json`; empty where it is not at hand.

    Raises:
        UserError: it is no JSON object.
    """
    path = model_file(model, "config.json")
    if path is None:
        return {}
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: can't be read ({error}): copy or download the model again") from error
    if not isinstance(config, dict):
        raise UserError(f"{path}: must be a JSON object: copy or download the model again")
    return config


def chat_template(model: str) -> str | None:
    """The text of a model's chat template; None where it is not at hand, or is one of several."""
    if path := model_file(model, "chat_template.jinja"):
        return path.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        if path := model_file(model, name):
            try:
                found = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
            except (OSError, ValueError, AttributeError):
                continue
            if isinstance(found, str):
                return found
    return None


def end_ids(model: str) -> frozenset[int]:
    """The ids that end a response by `generation_config.json`, or without one by `config.json`, beside the tokenizer's own.

    Raises:
        UserError: the file can't be read.
    """
    path = model_file(model, "generation_config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path else model_config(model)
        found = config.get("eos_token_id", None if path else text_config(config).get("eos_token_id"))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: can't be read ({error}): copy or download the model again") from error
    return frozenset(found if isinstance(found, list) else [] if found is None else [found])


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's part of `config.json`."""
    found: Mapping[str, Any] = config.get("text_config") or config.get("llm_config") or config
    return found


def context_length(config: Mapping[str, Any]) -> int | None:
    """The most tokens that a model with this `config.json` takes; None where that is not plainly there."""
    text = text_config(config)
    rope = text.get("rope_scaling") or text.get("rope_parameters") or {}
    # Scaled positions reach further than those that are named.
    if rope.get("rope_type", rope.get("type", "default")) not in ("default", "mrope"):
        return None
    return text.get("max_position_embeddings")
