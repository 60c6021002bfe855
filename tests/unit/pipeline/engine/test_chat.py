"""The chat template's arguments, and what it writes of the assistant's turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import EngineConfig, RunConfig, ledger_view, parse_config
from pipeline.engine.chat import ChatText, check_arguments
from pipeline.engine.policy import check_engine, policy_key
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import UserError
from tests.families import thinking_processor


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A processor with the traits of Qwen3.5's template: it opens the thinking, and closes it again on request."""
    folder = tmp_path_factory.mktemp("thinking")
    thinking_processor().save_pretrained(folder)
    return str(folder)


def test_arguments_reach_the_template(model: str) -> None:
    thinks, answers = ChatText(model), ChatText(model, arguments={"enable_thinking": False})
    assert thinks.opening == "<|im_start|>assistant\n<think>\n"
    assert answers.opening == "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    for text in (thinks, answers):
        ids = text.chat("How many?<image>", 1)
        assert text.tokenizer.decode(ids).endswith(text.opening)


def test_an_argument_that_the_template_does_not_read_is_refused(model: str) -> None:
    wanted = r"engine\.chat_template\.enable_thinkin: the model's chat template does not read it .did you mean 'enable_thinking'"
    with pytest.raises(UserError, match=wanted):
        ChatText(model, arguments={"enable_thinkin": False})
    (Path(model) / "config.json").write_text("{}")
    with pytest.raises(UserError, match=wanted):
        check_engine(EngineConfig(model=model, chat_template={"enable_thinkin": False}))
    check_engine(EngineConfig(model=model, chat_template={"enable_thinking": False}))
    with pytest.raises(UserError, match="does not read it"):
        check_arguments("{{ messages }}", {"messages": []})


def config(**engine: object) -> RunConfig:
    return parse_config({"name": "x", "sources": [{"name": "s", "path": "p"}], "engine": engine})


def test_they_name_the_policy_where_they_are_set() -> None:
    plain, other = config(), config(chat_template={"enable_thinking": False})
    assert policy_key("m", "s", plain) == "61c8db83ebc1"
    assert policy_key("m", "s", other) != policy_key("m", "s", plain)
    assert ledger_view(other)["engine.chat_template.enable_thinking"] is False
    assert not any("chat_template" in key for key in ledger_view(plain))


def test_the_scripted_engine_heeds_them() -> None:
    with pytest.raises(UserError, match="does not read it"):
        ScriptedEngine(EngineConfig(kind="scripted", chat_template={"enable_thinking": False}))
    args = {"thinking": "opened"}
    assert ScriptedEngine(EngineConfig(kind="scripted", args=args)).opening == "<think>\n"
    off = EngineConfig(kind="scripted", args=args, chat_template={"enable_thinking": False})
    assert ScriptedEngine(off).opening == "<think>\n\n</think>\n\n"
