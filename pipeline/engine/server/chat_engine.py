"""A policy or a judge behind chat completions: its text comes back, and where the server has them its token ids.

With a folder in `engine.model`, its tokenizer gives the ids of what was written. With a name alone the ids are the bytes of
the text: such a model can write solutions and judge. A prompt's ids stand for its text.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.chat import ChatText
from pipeline.engine.drawn import Drawn, completion, refusal
from pipeline.engine.server.chat_requests import PATH, Answer, ChatAsk, ChatReply, read
from pipeline.engine.server.chat_trial import ChatExaminer, ChatTraits
from pipeline.engine.server.http import together
from pipeline.engine.server.pictures import chat_part
from pipeline.engine.server.pool import Place
from pipeline.engine.server.remote import Remote
from pipeline.engine.server.replies import Fault, Refused
from pipeline.engine.server.start import read_key
from pipeline.engine.server.trial import root
from pipeline.errors import RowError
from pipeline.inputs import located
from pipeline.model_files import end_ids
from pipeline.records import IMAGE

_IMAGE, _TURN, _TEXT = -1, -2, -3
"""In a prompt: a picture, the beginning of the assistant's turn, and from the last one down up to four bytes of the user's text:
about as many as a token has, so that a prompt has about the length that it has for a model."""


class ChatEngine(Remote):
    """See the module and `Engine`.

    Raises:
        UserError: settings and servers don't fit together.
        StartError: no server answers.
    """

    traits: ChatTraits

    def __init__(self, config: EngineConfig) -> None:
        key = read_key(config)
        folder = located(config.model, config.folders)
        self._text = ChatText(folder, config.trust_remote_code, config.chat_template) if Path(folder).is_dir() else None
        self._stop_ids, self._end_ids = self._text.stops(end_ids(folder)) if self._text else ((), frozenset())
        self._template = config.chat_template
        super().__init__(config, ChatExaminer(config, key), key)

    @property
    def opening(self) -> str:
        return self._text.opening if self._text else ""

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        pieces = text.split(IMAGE)
        before = [_IMAGE] * (num_images if len(pieces) == 1 else 0)
        inner = [[*([_IMAGE] if index else []), *_packed(piece)] for index, piece in enumerate(pieces)]
        return (*before, *(token for piece in inner for token in piece), _TURN)

    def encode(self, text: str) -> tuple[int, ...]:
        return self._text.encode(text) if self._text else tuple(text.encode())

    def ends(self, token_ids: Sequence[int], after: Sequence[int] = ()) -> list[int]:
        if self._text:
            return self._text.ends(token_ids, [token for token in after if token >= 0])
        decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        return list(accumulate(len(decoder.decode(bytes((token,)))) for token in token_ids))

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        n: int,
        seed: int,
        max_tokens: int,
        *,
        stop: str | None = None,
    ) -> list[Completion]:
        turn = prompt.token_ids.index(_TURN)
        begun = self._written(prompt.token_ids[turn + 1 :])
        dialect = self.traits.dialect
        if begun and not (dialect.prefill and self._text):
            raise RowError("no_prefill", CANNOT if not dialect.prefill else NO_TOKENIZER)
        if sampling.top_k and not dialect.ours:
            raise RowError("no_top_k", "the server takes no top_k: set sampling.top_k=0")
        content = self._content(prompt.token_ids[:turn], prompt)
        whole = ChatAsk(
            content, begun, sampling, n, seed, max_tokens, stop, prompt.schema, self._template, self._stop_ids
        )
        self.gauges.begin()
        try:
            replies = await self._replies(whole, dialect.several)
        finally:
            self.gauges.end()
        answers = [answer for reply in replies for answer in reply.answers]
        return [self._completion(one, seed + j, max_tokens) for j, one in enumerate(answers)]

    async def _replies(self, whole: ChatAsk, several: bool) -> list[ChatReply]:
        if several or whole.n == 1:
            return [await self._reply(whole)]
        return await together([self._reply(each) for each in whole.alone()])

    async def _reply(self, ask: ChatAsk) -> ChatReply:
        try:
            reply = await self._pool.ask(lambda place: self._send(place, ask), ask.n)
        except Refused as refused:
            raise refusal(refused.message) from refused
        self._count(reply.prompt_tokens, reply.completion_tokens, ask.n)
        return reply

    async def _send(self, place: Place, ask: ChatAsk) -> ChatReply:
        body = ask.body(self.traits.name, self.traits.dialect)
        reply = read(await self._http.post(root(place.url) + PATH, body), ask.n)
        if self.traits.dialect.ours and reply.fingerprint != self.traits.fingerprint:
            raise Fault("wrong", f"a reply of another server ({reply.fingerprint}, it was {self.traits.fingerprint})")
        return reply

    def _content(self, ids: Sequence[int], prompt: Prompt) -> tuple[dict[str, Any], ...]:
        """The user's turn as parts, its pictures where its text has them."""
        parts: list[dict[str, Any]] = []
        images, text = iter(prompt.images), bytearray()
        for token in (*ids, _IMAGE):
            if token != _IMAGE:
                text += _unpacked(token)
                continue
            if text:
                parts.append({"type": "text", "text": text.decode()})
                text = bytearray()
            if (image := next(images, None)) is not None:
                parts.append(chat_part(image))
        return tuple(parts)

    def _written(self, ids: Sequence[int]) -> str:
        if not self._text:
            return bytes(ids).decode(errors="ignore")
        return str(self._text.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _completion(self, answer: Answer, seed: int, max_tokens: int) -> Completion:
        ids = answer.token_ids
        if ids is not None and answer.finish_reason == "length" and len(ids) < max_tokens:
            raise RowError("prompt_too_long", f"{max_tokens} tokens of response don't fit into the context")
        if ids is None or not self._text or (self.ends(ids) or [0])[-1] != len(answer.text):
            ids = self.encode(answer.text)
        return completion(Drawn(ids, answer.text, answer.finish_reason), seed, self._end_ids)


CANNOT = "the server does not go on with an answer that was begun (continue_final_message)"
NO_TOKENIZER = "engine.model is a name, and without the model's folder nothing says how many tokens a prefix has"


def _packed(text: str) -> list[int]:
    data = text.encode()
    # A one before the bytes, so that leading zeros count.
    return [_TEXT - int.from_bytes(b"\1" + data[at : at + 4]) for at in range(0, len(data), 4)]


def _unpacked(token: int) -> bytes:
    value = _TEXT - token
    return value.to_bytes((value.bit_length() + 7) // 8)[1:]
