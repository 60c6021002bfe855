"""A policy on vLLM servers: token ids go there and come back, and are those that an engine of this process would draw."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.chat import ChatText
from pipeline.engine.drawn import Drawn, check_room, completion, refusal
from pipeline.engine.server import tokens
from pipeline.engine.server.http import together
from pipeline.engine.server.pictures import part
from pipeline.engine.server.pool import Place
from pipeline.engine.server.remote import Remote
from pipeline.engine.server.replies import Fault, Refused
from pipeline.engine.server.start import read_key
from pipeline.engine.server.trial import Examiner, root
from pipeline.errors import RowError
from pipeline.inputs import located
from pipeline.model_files import end_ids


class ServerEngine(Remote):
    """See the module and `Engine`.

    Raises:
        UserError: settings and servers don't fit together.
        StartError: no server answers.
    """

    def __init__(self, config: EngineConfig) -> None:
        key = read_key(config)
        model = located(config.model, config.folders)
        self._text = ChatText(model, config.trust_remote_code, config.chat_template)
        self.chat, self.encode, self.ends = self._text.chat, self._text.encode, self._text.ends
        self._stop_ids, self._end_ids = self._text.stops(end_ids(model))
        self._foreign_ends = frozenset(self._text.tokenizer.all_special_ids) - self._end_ids
        self._limits = config.max_tiles, config.max_pixels
        super().__init__(config, Examiner(self._text, config, key), key)
        self._most_draws: int | None = None

    @property
    def opening(self) -> str:
        return self._text.opening

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
        if prompt.images:
            self._check_limits(prompt)
        ids, schema, ahead = prompt.token_ids, prompt.schema, prompt.ahead
        whole = tokens.Ask(ids, sampling, n, seed, max_tokens, stop, schema, ahead, self._stop_ids)
        self.gauges.begin()
        try:
            drawn = await self._drawn(prompt, whole)
        finally:
            self.gauges.end()
        check_room(drawn, max_tokens)
        self._check_ends(drawn)
        return [completion(one, seed + j, self._end_ids) for j, one in enumerate(drawn)]

    def _check_limits(self, prompt: Prompt) -> None:
        """What a judge's servers see may have other limits than the sources of the run."""
        tiles, pixels = self._limits
        if tiles is not None and prompt.max_tiles != tiles:
            raise RowError("other_max_tiles", f"{prompt.max_tiles}, and engine.max_tiles is {tiles}")
        if prompt.max_pixels != pixels:
            raise RowError("other_max_pixels", f"{prompt.max_pixels}, and engine.max_pixels is {pixels}")

    def _check_ends(self, drawn: Sequence[Drawn]) -> None:
        """A server whose model's folder names further ids that end a response would leave them in the draws."""
        for one in drawn:
            last = one.token_ids[-1] if one.finish_reason == "stop" and one.token_ids else None
            if last in self._foreign_ends:
                raise RowError(
                    "unknown_end_id",
                    f"the server ended a draw with {last}, which engine.model's generation_config.json does not name here: "
                    "copy the server's",
                )

    async def _drawn(self, prompt: Prompt, ask: tokens.Ask) -> list[Drawn]:
        """Draws in the order of seeds, from as many requests as the servers' `max_num_seqs` makes of one."""
        parts = ask.split(self._most_draws)
        try:
            replies = await together([self._reply(prompt, each) for each in parts])
        except Refused as refused:
            most = tokens.most_draws(refused)
            if most is None or most >= max(each.n for each in parts):
                raise refusal(refused.message) from refused
            self._most_draws = min(most, self._most_draws or most)
            return await self._drawn(prompt, ask)
        return [one for reply in replies for one in reply.drawn]

    async def _reply(self, prompt: Prompt, ask: tokens.Ask) -> tokens.Reply:
        pictures = [image.sha256 for image in prompt.images]
        reply = await self._pool.ask(lambda place: self._send(place, prompt, ask), ask.n, pictures)
        self._count(reply.prompt_tokens, reply.completion_tokens, ask.n)
        self.gauges.cached_tokens += reply.cached_tokens * ask.n
        return reply

    async def _send(self, place: Place, prompt: Prompt, ask: tokens.Ask) -> tokens.Reply:
        """Pictures go by their hash, and in full to a server that does not have them."""
        url = root(place.url) + tokens.PATH
        for whole in (False, True):
            pictures = [part(image, whole) for image in prompt.images]
            try:
                body = await self._http.post(url, ask.body(pictures, self.traits.priorities))
            except Refused as refused:
                if whole or not tokens.unknown_picture(refused):
                    raise
                continue
            place.remember([image.sha256 for image in prompt.images])
            return tokens.read(body, ask.n, len(prompt.images))
        raise Fault("wrong", "a picture that was sent in full is unknown")
