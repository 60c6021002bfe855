"""What lies beside a model's weights: found in a local folder or in the hub's cache; nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.hub import is_hub_id


def model_file(model: str, name: str) -> Path | None:
    """The file of a model, given as a folder or a hub id; None where it is not at hand.

    Raises:
        UserError: it can be neither.
    """
    local = Path(model) / name
    if local.is_file():
        return local
    if not is_hub_id(model):
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, name)
    except HFValidationError as error:
        raise UserError(f"{model}: neither a folder nor a model of the hub (owner/name): correct it") from error
    return Path(found) if isinstance(found, str) else None


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
