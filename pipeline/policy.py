"""Which policy a run uses: whether it is there, what names it in ids and seeds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipeline.config import EngineConfig, RunConfig
from pipeline.errors import UserError


def check_model(engine: EngineConfig) -> None:
    """A model that looks like a folder must be one with a config.

    Raises:
        UserError: it isn't.
    """
    folder = Path(engine.model)
    hub_id = (
        engine.model.count("/") == 1 and not engine.model.startswith((".", "/", "~")) and not folder.parent.exists()
    )
    if engine.kind == "vllm" and not hub_id and not (folder / "config.json").is_file():
        raise UserError(f"engine.model: {folder} holds no config.json: give a model folder, or a hub id as owner/name")


def model_fingerprint(engine: EngineConfig) -> str:
    """The model's name, and for a local folder also a hash of its config and the sizes of its weights."""
    folder = Path(engine.model)
    if engine.kind == "scripted":
        return "scripted"
    if not folder.is_dir():
        return engine.model
    parts = [(folder / "config.json").read_text(encoding="utf-8")]
    parts += [f"{path.name}:{path.stat().st_size}" for path in sorted(folder.glob("*.safetensors"))]
    return f"{folder.name}@{hashlib.sha256(''.join(parts).encode()).hexdigest()[:12]}"


def policy_key(model: str, prompt_sha: str, config: RunConfig) -> str:
    """12 hex digits over model, prompt and sampling: names the policy in ids and seeds."""
    sampling = config.sampling.model_dump(exclude={"num_solutions"})
    parts = [model, prompt_sha, config.engine.dtype, config.engine.max_model_len, sampling]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
