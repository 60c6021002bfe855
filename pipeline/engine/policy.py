"""Which policy a run uses: whether it is there and can run so, what names it in ids and seeds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline import origin
from pipeline.config import EngineConfig, RunConfig
from pipeline.config.engine import DRAWN_WITH
from pipeline.engine.chat import check_arguments
from pipeline.errors import UserError, did_you_mean
from pipeline.hub import ask_hub
from pipeline.inputs import located, searched
from pipeline.model_files import chat_template, context_length, is_hub_id, model_config, text_config


def has_weights(engine: EngineConfig) -> bool:
    """Whether `engine.model` is a folder or a hub id whose files tell ids and limits, wherever vLLM loads it."""
    return engine.kind == "vllm" or (engine.kind == "server" and engine.api == "vllm")


def check_model(engine: EngineConfig) -> None:
    """A model that looks like a folder must be one with a config.

    Raises:
        UserError: it isn't.
    """
    model = located(engine.model, engine.folders)
    if has_weights(engine) and not is_hub_id(model) and not (Path(model) / "config.json").is_file():
        places = "" if Path(model).exists() else searched(engine.model, engine.folders)
        raise UserError(
            f"engine.model: {Path(model)} holds no config.json{places}: give a model folder, or a hub id as owner/name"
        )


def check_engine(engine: EngineConfig) -> None:
    """All that can be known to be wrong before an engine is started, `check_model` included.

    Raises:
        UserError: there is no such model, vLLM does not know a setting, a setting is given twice, or the context is
            longer than the model's.
    """
    check_model(engine)
    if not has_weights(engine):
        return
    if engine.chat_template and (template := chat_template(located(engine.model, engine.folders))) is not None:
        check_arguments(template, engine.chat_template)
    from pipeline.engine.vllm import argument_names

    names = argument_names()
    for key in engine.args:
        if key in EngineConfig.model_fields:
            raise UserError(f"engine.args.{key}: give it as engine.{key}")
        if names and key not in names:
            raise UserError(
                f"engine.args.{key}: vLLM has no such setting{did_you_mean(key, names)}; remove it or correct its spelling"
            )
    longest = context_length(model_config(located(engine.model, engine.folders)))
    # Overrides may change what the model's file says.
    if longest is not None and engine.max_model_len > longest and "hf_overrides" not in engine.args:
        raise UserError(
            f"engine.max_model_len={engine.max_model_len}: {engine.model} takes at most {longest}: lower it"
        )


NO_INVARIANT_MODE = (
    "engine.batch_invariant: vLLM has this mode on GPUs alone; a CPU gives the same draws in any batch in float32: "
    "remove it"
)


def check_heads(size: int, heads: int | None) -> None:
    """Every GPU of an engine gets as many attention heads as the others; `heads` is null where it is not known.

    Raises:
        UserError: they can't.
    """
    if heads is not None and heads % size:
        raise UserError(
            f"engine.tensor_parallel_size={size} does not divide the model's {heads} attention heads: lower it"
        )


def check_start(engine: EngineConfig, address: str | None = None, continues: bool = True) -> None:
    """Before an engine is started: `check_engine`, and whether the hub has the model and this machine the GPUs.

    Servers pass their trial: whoever makes the engine has them pass it again, but here it ends no process of Ray.

    Args:
        engine: The settings.
        address: The Ray cluster whose nodes will run the engine; this machine can't say what they have.
        continues: Whether the engine will be asked for continuations of responses, and not for whole ones alone.

    Raises:
        UserError: as `check_engine`; the hub lacks the model; GPUs are too few, or can't share the model; servers don't
            fit the settings.
        StartError: the hub does not answer; no server does.
    """
    check_engine(engine)
    if engine.kind == "server" and address is None:
        from pipeline.engine.server.start import check_servers

        check_servers(engine, continues)
    if engine.kind != "vllm":
        return
    model, size = located(engine.model, engine.folders), engine.tensor_parallel_size
    check_heads(size, text_config(model_config(model)).get("num_attention_heads"))
    if address is None:
        if engine.batch_invariant and not _gpus():
            raise UserError(NO_INVARIANT_MODE)
        if is_hub_id(model):
            ask_hub(model)
        if size > 1 and size > (gpus := _gpus()):
            raise UserError(
                f"engine.tensor_parallel_size={size}: this machine has {gpus or 'no'} GPU{'s' * (gpus > 1)}: lower it, or "
                "join a cluster by ray.address"
            )


def _gpus() -> int:
    import torch

    found: int = torch.cuda.device_count()
    return found


def model_fingerprint(engine: EngineConfig) -> str:
    """The model's name, and for a local folder also a hash over all that it is made of, weights and tokenizer included."""
    folder = Path(located(engine.model, engine.folders))
    if engine.kind == "scripted":
        return "scripted"
    return f"{folder.name}@{folder_fingerprint(folder)}" if folder.is_dir() else engine.model


def folder_fingerprint(folder: Path) -> str:
    """12 hex digits over all that the model in a folder is made of."""
    digest = hashlib.sha256()
    for path in sorted(
        path for path in folder.iterdir() if path.suffix in (".safetensors", ".json", ".jinja", ".model")
    ):
        with path.open("rb") as file:
            digest.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()[:12]


def policy_name(engine: EngineConfig) -> str:
    """Who wrote the text, as published: the model, or the kind of an engine that has none."""
    return engine.kind if engine.kind == "scripted" else engine.model


def policy_key(model: str, prompt_sha: str, config: RunConfig) -> str:
    """12 hex digits over model, prompt and sampling: names the policy in ids and seeds."""
    sampling = config.sampling.model_dump(exclude={"num_solutions"})
    if not config.sampling.greedy_first:
        # As it was before there was a choice: ids and seeds of older ledgers stay.
        del sampling["greedy_first"]
    engine = config.engine.model_dump(include=set(DRAWN_WITH)) | {"args": config.engine.drawing_args}
    # The group of arguments for the chat template is there only if it has some.
    parts = [model, prompt_sha, engine, sampling]
    return origin.digest(parts)[:12]
