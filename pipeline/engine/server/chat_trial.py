"""What a server of chat completions must show before it is asked: which fields it takes, that it sees pictures, whether it
goes on with an answer that was begun, and whether its draws differ."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import httpx

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine.server.chat_requests import PATH, Answer, ChatAsk, ChatReply, Dialect, read
from pipeline.engine.server.pictures import chat_part
from pipeline.engine.server.replies import Fault, Refused
from pipeline.engine.server.trial import QUESTION, SEED, TRIAL_S, Traits, ask, headers, one_model, picture, root
from pipeline.errors import UserError

LENGTH = 48
"""Tokens of an answer in the trial: enough to be cut in two."""
DRAWS = 4
"""Of neighbouring seeds: where all are equal, that is no chance."""
SEAM = 12
"""Characters after a cut that must be those of the whole answer."""


@dataclass(frozen=True, slots=True)
class ChatTraits(Traits):
    """With the `dialect`."""

    dialect: Dialect


class ChatExaminer:
    """Has servers of chat completions pass their trial."""

    def __init__(self, config: EngineConfig, key: str | None) -> None:
        self._config, self._headers = config, headers(key)
        self._picture = picture()

    def examine(self, url: str) -> ChatTraits:
        """
        Raises:
            Fault: it does not answer, or not usably.
            UserError: it can't do what every run needs.
        """
        with httpx.Client(base_url=root(url), headers=self._headers, timeout=TRIAL_S) as client:
            name, listed = self._model(client, url)
            ours = listed.get("owned_by") in ("vllm", "sglang")
            dialect, shown = self._dialect(client, url, name, Dialect(ours=ours))
            blind = self._answers(client, name, dialect, shows=False)
            if shown.prompt_tokens and shown.prompt_tokens <= blind.prompt_tokens + 1:
                raise UserError(
                    f"engine.urls: {url} does not see pictures: a question with one has {shown.prompt_tokens} tokens, "
                    f"without it {blind.prompt_tokens}"
                )
            greedy = self._answers(client, name, dialect, temperature=0.0)
            dialect = replace(dialect, prefill=self._goes_on(client, name, dialect, greedy.answers[0].text))
            dialect = self._varied(client, url, name, dialect, shown)
        return ChatTraits(
            name,
            listed.get("max_model_len"),
            shown.fingerprint if ours else None,
            False,
            shown.prompt_tokens,
            greedy.answers[0].token_ids or () if ours else (),
            tuple(one.token_ids or () for one in shown.answers) if ours else (),
            dialect,
        )

    def _model(self, client: httpx.Client, url: str) -> tuple[str, dict[str, Any]]:
        try:
            config = self._config
            found = one_model(url, ask(client, "GET", "/v1/models"), config.model, config.folders)
        except Fault as fault:
            if fault.kind != "barred":
                raise
            # Some endpoints have no list; the first request tells whether the name is right.
            return self._config.model, {}
        return str(found["id"]), dict(found)

    def _dialect(self, client: httpx.Client, url: str, name: str, dialect: Dialect) -> tuple[Dialect, ChatReply]:
        """The fields that the server takes, and its answers about a picture: two of them where it gives two."""
        while True:
            try:
                return dialect, self._answers(client, name, dialect, n=2 if dialect.several else 1)
            except Refused as refused:
                poorer = _without(dialect, refused.message)
                if poorer == dialect:
                    raise UserError(
                        f"engine.urls: {url} refuses a request of the trial: {refused.message}"
                    ) from refused
                dialect = poorer
            except Fault as fault:
                if fault.kind == "barred":
                    raise UserError(f"engine.urls: {url} has no {PATH} for {name} ({fault.reason})") from fault
                if fault.kind != "wrong" or not dialect.several:
                    raise
                dialect = replace(dialect, several=False)

    def _answers(
        self,
        client: httpx.Client,
        name: str,
        dialect: Dialect,
        n: int = 1,
        temperature: float = 1.0,
        shows: bool = True,
        begun: str = "",
        seed: int = SEED,
    ) -> ChatReply:
        content = (*((chat_part(self._picture),) if shows else ()), {"type": "text", "text": QUESTION})
        sampling = SamplingConfig(max_tokens=LENGTH).model_copy(update={"temperature": temperature})
        template = self._config.chat_template
        asked = ChatAsk(content, begun, sampling, n, seed, LENGTH, template=template)
        return read(ask(client, "POST", PATH, asked.body(name, dialect)), n)

    def _varied(self, client: httpx.Client, url: str, name: str, dialect: Dialect, shown: ChatReply) -> Dialect:
        """The dialect in which draws differ: equal ones would be counted as many, and be one.

        Raises:
            UserError: there is none.
        """
        if not all(map(_content, shown.answers)):
            # All was thinking that the server takes out: it says nothing.
            return dialect
        if dialect.several and _equal(shown) and _equal(self._answers(client, name, dialect, n=2, seed=SEED + DRAWS)):
            dialect = replace(dialect, several=False)
        if dialect.several and not dialect.seeds:
            return dialect
        unseeded = replace(dialect, seeds=False)
        for each in dict.fromkeys((dialect, unseeded)):
            first = _content(self._answers(client, name, each).answers[0])
            others = (self._answers(client, name, each, seed=SEED + j).answers[0] for j in range(1, DRAWS))
            if any(_content(other) != first for other in others):
                return each
        raise UserError(
            f"engine.urls: {url} gives {DRAWS} draws of one request the same answer at temperature 1: it can't draw for this "
            "run; does it keep answers, or fix the temperature?"
        )

    def _goes_on(self, client: httpx.Client, name: str, dialect: Dialect, whole: str) -> bool:
        """Whether the server goes on with the first half of its likeliest answer as it did, and does not begin anew."""
        cut = whole.rfind(" ", 0, len(whole) // 2 + 1)
        if cut <= 0:
            return False
        try:
            after = self._answers(client, name, dialect, temperature=0.0, begun=whole[:cut]).answers[0].text
        except Refused:
            return False
        except Fault as fault:
            if fault.kind in ("away", "busy", "closed"):
                # It says nothing about what the server can do.
                raise
            return False
        return after[:SEAM] == whole[cut:][:SEAM]


def _content(answer: Answer) -> object:
    return answer.token_ids or answer.text


def _equal(reply: ChatReply) -> bool:
    return len(set(map(_content, reply.answers))) == 1


def _without(dialect: Dialect, message: str) -> Dialect:
    """The dialect without a field that the message names; the same one where it names none that can be left out."""
    words = set(re.findall(r"\w+", message))
    if dialect.limit == "max_completion_tokens" and "max_completion_tokens" in words:
        return replace(dialect, limit="max_tokens")
    if dialect.seeds and "seed" in words:
        return replace(dialect, seeds=False)
    if dialect.several and "n" in words:
        return replace(dialect, several=False)
    return dialect
