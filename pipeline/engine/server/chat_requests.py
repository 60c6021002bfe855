"""Chat completions as OpenAI has them (`POST /v1/chat/completions`): what is sent, and what is believed of a reply. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from pipeline.config import SamplingConfig
from pipeline.engine.server.replies import Fault
from pipeline.errors import RowError

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server understands beyond what all do, as its trial found."""

    limit: str = "max_completion_tokens"
    """The name of the most tokens of an answer."""
    seeds: bool = True
    """Whether it takes a seed. Only those of `ours` give the same draw for it again."""
    several: bool = True
    """Whether it gives several answers to one request."""
    ours: bool = False
    """Whether it is a vLLM or SGLang server: it takes their further fields, and draws by seeds."""
    prefill: bool = False
    """Whether it goes on with an answer that was begun."""

    def __str__(self) -> str:
        return ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))


@dataclass(frozen=True, slots=True)
class ChatAsk:
    """One request: the parts of the user's turn, and the beginning of the assistant's, if there is one."""

    content: tuple[Mapping[str, Any], ...]
    begun: str
    sampling: SamplingConfig
    n: int
    seed: int
    max_tokens: int
    stop: str | None = None
    schema: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None
    """Arguments for the chat template."""
    stop_ids: tuple[int, ...] = ()
    """Further ids that end an answer, where the server is of `ours`."""

    def alone(self) -> list[ChatAsk]:
        """The same answers as requests for one each."""
        return [replace(self, n=1, seed=self.seed + j) for j in range(self.n)]

    def body(self, model: str, dialect: Dialect) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "user", "content": list(self.content)}]
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            dialect.limit: self.max_tokens,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
        }
        if dialect.seeds:
            body["seed"] = self.seed
        if self.n > 1:
            body["n"] = self.n
        if self.stop is not None:
            body["stop"] = [self.stop]
        if self.schema is not None:
            form = {"name": "answer", "schema": dict(self.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        if dialect.ours:
            # Else the model's generation_config.json would decide, and nobody would see it.
            body |= {"top_k": self.sampling.top_k or -1, "repetition_penalty": 1.0, "min_p": 0.0}
            body |= {"include_stop_str_in_output": True} if self.stop is not None else {}
            body |= {"return_token_ids": True}
            body |= {"stop_token_ids": list(self.stop_ids)} if self.stop_ids else {}
            body |= {"chat_template_kwargs": dict(self.template)} if self.template else {}
        if self.begun:
            messages.append({"role": "assistant", "content": self.begun})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; its ids where the server gave them."""

    text: str
    finish_reason: str
    token_ids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The answers to a request, in the order of seeds, and what they used."""

    answers: tuple[Answer, ...]
    prompt_tokens: int
    completion_tokens: int
    fingerprint: str | None


def read(body: Mapping[str, Any], n: int) -> ChatReply:
    """The answers of a reply to a request for `n` of them.

    Raises:
        Fault: it is no reply to such a request.
        RowError: the server filtered an answer out.
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or len(choices) != n:
        raise Fault("wrong", f"a reply of {len(choices) if isinstance(choices, list) else 0} answers, asked for {n}")
    try:
        ordered: Sequence[Mapping[str, Any]] = sorted(choices, key=lambda one: one.get("index", 0))
        answers = tuple(map(_answer, ordered))
        usage = body.get("usage") or {}
        return ChatReply(
            answers,
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            body.get("system_fingerprint"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Fault("wrong", f"a reply of another form ({type(error).__name__}: {error})") from error


def _answer(choice: Mapping[str, Any]) -> Answer:
    reason, text, ids = choice["finish_reason"], choice["message"].get("content"), choice.get("token_ids")
    if reason == "content_filter" or (text is None and choice["message"].get("refusal")):
        raise RowError(
            "content_filter", str(choice["message"].get("refusal") or "the server left the answer out")[:300]
        )
    if reason not in ("stop", "length"):
        raise Fault("wrong", f"an answer that ended with {reason!r}")
    # A whole answer of thinking has no content where the server takes the thinking out.
    return Answer(text or "", reason, None if ids is None else tuple(ids))
