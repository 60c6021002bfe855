"""Which of the servers that the settings name can be asked, before any of them is asked for draws."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pipeline.config import EngineConfig
from pipeline.engine.server.pool import Place
from pipeline.engine.server.replies import Fault
from pipeline.engine.server.trial import Examiner, Traits, differences
from pipeline.errors import StartError, UserError
from pipeline.inputs import located
from pipeline.terminal.speak import say


class Examines(Protocol):
    """Has one server pass its trial."""

    def examine(self, url: str) -> Traits: ...


def read_key(config: EngineConfig) -> str | None:
    """
    Raises:
        UserError: the variable that is named holds no key.
    """
    if config.key_env is None:
        return None
    if not (key := os.environ.get(config.key_env, "").strip()):
        raise UserError(
            f"engine.key_env: the environment variable {config.key_env} is not set where the engine runs: set it"
        )
    return key


def examined(urls: Sequence[str], examiner: Examines) -> tuple[Traits, list[Place]]:
    """What the servers have in common, and how each stands: joined, or left out because it does not answer now.

    Raises:
        UserError: one of them is not what the settings say, or they differ.
        StartError: none answers.
    """

    def one(url: str) -> Traits | Fault:
        try:
            return examiner.examine(url)
        except Fault as fault:
            return fault

    with ThreadPoolExecutor(len(urls)) as threads:
        found = dict(zip(urls, threads.map(one, urls), strict=True))
    answered = {url: traits for url, traits in found.items() if isinstance(traits, Traits)}
    away = {url: str(fault) for url, fault in found.items() if isinstance(fault, Fault)}
    if not answered:
        raise StartError(f"engine.urls: none answers: {'; '.join(f'{url}: {why}' for url, why in away.items())}")
    first, *others = answered
    for url in others:
        if what := differences(answered[first], answered[url]):
            raise UserError(f"engine.urls: {first} and {url} differ in {what}: a run takes servers that draw the same")
    for url, why in away.items():
        say(f"{url} is left out for now: {why}")
    return answered[first], [Place(url, joined=url in answered) for url in urls]


def joining(examiner: Examines, common: Traits) -> Callable[[Place], None]:
    """What a server must pass that joins again; see `Pool`."""

    def join(place: Place) -> None:
        if what := differences(common, examiner.examine(place.url)):
            raise UserError(f"it differs from the others in {what}")

    return join


def check_servers(config: EngineConfig, continues: bool = True) -> Traits:
    """Has all of them pass their trial, without an engine.

    Args:
        continues: whether the command will ask for continuations of responses.

    Raises:
        UserError: as `examined`; or they can't go on with a response that was begun, and should.
        StartError: as `examined`.
    """
    key = read_key(config)
    if config.api == "openai":
        from pipeline.engine.server.chat_trial import ChatExaminer, ChatTraits

        traits = examined(config.urls, ChatExaminer(config, key))[0]
        if continues:
            _check_prefixes(config, isinstance(traits, ChatTraits) and traits.dialect.prefill)
        return traits
    from pipeline.engine.chat import ChatText

    text = ChatText(located(config.model, config.folders), config.trust_remote_code, config.chat_template)
    return examined(config.urls, Examiner(text, config, key))[0]


def _check_prefixes(config: EngineConfig, prefill: bool) -> None:
    instead = "set rollout.num_draws=0 for solutions alone, have it judge, or take a server with engine.api=vllm"
    if not prefill:
        raise UserError(
            f"engine.urls: {config.urls[0]} does not go on with a response that was begun (continue_final_message), so it can't "
            f"continue prefixes: {instead}"
        )
    if not Path(located(config.model, config.folders)).is_dir():
        raise UserError(
            f"engine.model={config.model}: a name alone does not say how many tokens a prefix has, so prefixes can't be continued: "
            f"give the folder of the model, or {instead}"
        )
