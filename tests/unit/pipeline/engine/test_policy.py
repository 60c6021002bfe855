"""What is known to be wrong with an engine's settings before it is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import EngineConfig, RunConfig
from pipeline.config.engine import DRAWN_WITH
from pipeline.engine.policy import check_engine, check_start, policy_key, policy_name
from pipeline.engine.vllm import argument_names
from pipeline.errors import UserError


def engine(folder: Path, text: dict[str, Any], **settings: Any) -> EngineConfig:
    (folder / "config.json").write_text(json.dumps({"text_config": text}))
    return EngineConfig.model_validate({"model": str(folder), **settings})


def test_the_names_are_those_of_the_installed_vllm() -> None:
    assert {"gpu_memory_utilization", "limit_mm_per_prompt", "disable_log_stats", "model"} <= argument_names()


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        ({"max_position_embeddings": 2048}, {}, "engine.max_model_len=4096: .* takes at most 2048: lower it"),
        ({}, {"args": {"max_model_len": 64}}, "engine.args.max_model_len: give it as engine.max_model_len"),
        ({}, {"args": {"enforce_eagerly": True}}, "vLLM has no such setting .did you mean 'enforce_eager'"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: dict[str, Any], settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_engine(engine(tmp_path, text, **settings))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ({"max_position_embeddings": 4096}, {"args": {"max_num_seqs": 8}}),
        ({"max_position_embeddings": 2048, "rope_scaling": {"rope_type": "yarn", "factor": 4}}, {}),
        ({"max_position_embeddings": 2048}, {"args": {"hf_overrides": {"x": 1}}}),
        ({}, {}),
    ],
)
def test_what_may_be_right_is_let_through(tmp_path: Path, text: dict[str, Any], settings: dict[str, Any]) -> None:
    check_engine(engine(tmp_path, text, **settings))


def test_gpus_that_are_not_there_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engine.policy._gpus", lambda: 0)
    two = engine(tmp_path, {"num_attention_heads": 4}, tensor_parallel_size=2)
    with pytest.raises(UserError, match=r"engine\.tensor_parallel_size=2: this machine has no GPU: lower it, or join"):
        check_start(two)
    # Nodes of a cluster may have some.
    check_start(two, "10.0.0.1:6379")
    monkeypatch.setattr("pipeline.engine.policy._gpus", lambda: 2)
    check_start(two)
    odd = engine(tmp_path, {"num_attention_heads": 3}, tensor_parallel_size=2)
    with pytest.raises(UserError, match="tensor_parallel_size=2 does not divide the model's 3 attention heads"):
        check_start(odd, "10.0.0.1:6379")


def test_text_without_a_model_is_no_models_text() -> None:
    assert policy_name(EngineConfig(model="lab/policy")) == "lab/policy"
    assert policy_name(EngineConfig(kind="scripted", model="lab/policy")) == "scripted"


def test_a_mode_that_only_gpus_have_is_refused_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a part of the policy's key where it is on, and of no other key."""
    monkeypatch.setattr("pipeline.engine.policy._gpus", lambda: 0)
    invariant = engine(tmp_path, {"num_attention_heads": 4}, batch_invariant=True)
    with pytest.raises(UserError, match=r"engine\.batch_invariant: vLLM has this mode on GPUs alone"):
        check_start(invariant)
    assert "batch_invariant" in invariant.model_dump(include=set(DRAWN_WITH))
    assert "batch_invariant" not in EngineConfig(model="m").model_dump(include=set(DRAWN_WITH))


def test_draws_by_text_and_draws_by_ids_have_other_keys() -> None:
    """An engine inside and a vLLM server have the key that they had before `api` was a part of it."""

    def key(**engine: Any) -> str:
        held = {"engine": {"model": "m", "dtype": "float32", **engine}}
        settings = RunConfig.model_validate({"name": "r", "sources": [{"name": "a", "path": "a.jsonl"}], **held})
        return policy_key("m", "p", settings)

    server = {"kind": "server", "urls": ["http://a:8000"]}
    assert key() == key(**server) == key(**server, api="vllm") == "e12e8dce90de"
    assert key(**server, api="openai") != key(**server)
