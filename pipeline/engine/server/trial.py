"""What a server must show before it is asked for draws: that it is what the settings say, sees pictures, and draws by seeds.

All servers of a run are asked the same, at the start and whenever one joins again, and must answer the same.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isqrt
from pathlib import Path
from typing import Any

import httpx
from PIL import Image as PillowImage
from PIL import ImageDraw

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Prompt
from pipeline.engine.chat import ChatText
from pipeline.engine.pictures import picture_limit
from pipeline.engine.server import tokens
from pipeline.engine.server.pictures import part
from pipeline.engine.server.replies import Fault, Refused, of_transport, read_reply
from pipeline.errors import UserError
from pipeline.inputs import located
from pipeline.records import Image

TRIAL_S = 120.0
"""For one answer in a trial. A server that has just started compiles, or waits behind others' requests."""
SEED = 0xABCDEF012345
"""Of 48 bits, as draws have it."""
SIDES = (720, 64)
"""Width and height of the smallest test picture: so long that it is cut into as many tiles as allowed, up to eleven."""
UNSTATED, MOST_PIXELS = 2_000_000, 24_000_000
"""Pixels of the test picture where no limit is stated, and the most at all."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a server says and does. Those of two servers of a run must be equal."""

    name: str
    """Of the model, as the server has it."""
    max_model_len: int | None
    fingerprint: str | None
    """Of the version and settings of the server, as its replies carry it."""
    priorities: bool
    """Whether it serves by priority."""
    picture_tokens: int
    """Length of the trial's prompt once its picture is expanded."""
    greedy: tuple[int, ...]
    """Token ids of its likeliest answer."""
    seeded: tuple[tuple[int, ...], ...]
    """Of two draws of one request."""


def differences(one: Traits, other: Traits) -> str:
    """What is not equal, in words; empty if all is."""
    found = []
    # Those of the kind at hand: chat completions have more.
    for field in fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if ours != theirs:
            shown = f" ({ours} and {theirs})" if field.name not in ("greedy", "seeded") else ""
            found.append(_NAMES[field.name] + shown)
    return ", ".join(found)


_NAMES = {
    "name": "the model's name",
    "max_model_len": "max_model_len",
    "fingerprint": "the fingerprint of their replies",
    "priorities": "--scheduling-policy",
    "picture_tokens": "the tokens of a picture",
    "greedy": "the likeliest answer about a picture",
    "seeded": "the draws of a seed about a picture",
    "dialect": "what they take and give",
}


def picture(sides: tuple[int, int] = SIDES) -> Image:
    """The trial's, of a width and a height in pixels: a file that is the same everywhere."""
    canvas = PillowImage.new("RGB", sides, "white")
    pen = ImageDraw.Draw(canvas)
    across, down = (side / small for side, small in zip(sides, SIDES, strict=True))
    for number, colour in enumerate(("red", "green", "blue", "orange", "purple")):
        left, right = ((at + 140 * number) * across for at in (20, 100))
        pen.rectangle((left, 10 * down, right, (20 + 8 * number) * down), fill=colour)
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return Image.of(out.getvalue())


def sides_wanted(of: str | None, config: EngineConfig) -> tuple[int, int]:
    """Width and height of a picture that is larger than the limit which the settings state: a smaller one would not show it.

    Args:
        of: what the model counts (`PictureLimit.of`).
    """
    if of == "tiles":
        return max(SIDES[0], SIDES[1] * ((config.max_tiles or 1) + 1)), SIDES[1]
    pixels = UNSTATED if config.max_pixels is None else min(config.max_pixels * 3 // 2, MOST_PIXELS)
    return (side := isqrt(pixels) + 1), side


def fitting_picture(text: ChatText, config: EngineConfig) -> tuple[Image, int]:
    """The largest test picture that the context has room for, up to `sides_wanted`, and the tokens of its prompt."""
    sides = sides_wanted(picture_limit(text.processor).of, config)
    while sides[0] * sides[1] > SIDES[0] * SIDES[1]:
        shown = picture(sides)
        length = expected_tokens(text, QUESTION, shown, config)
        if length + 2 * LENGTH <= config.max_model_len:
            return shown, length
        # A long one stays long, as tiles want it.
        sides = (sides[0] * 3 // 4, sides[1] if sides[1] == SIDES[1] else sides[1] * 3 // 4)
    shown = picture()
    return shown, expected_tokens(text, QUESTION, shown, config)


def expected_tokens(text: ChatText, prompt: str, shown: Image, config: EngineConfig) -> int:
    """How long a prompt with a picture is for the model's own processor under the limits that the settings state."""
    stated = Prompt((), (shown,), config.max_tiles or 1, config.max_pixels)
    limits = {**(config.args.get("mm_processor_kwargs") or {}), **picture_limit(text.processor).arguments(stated)}
    with PillowImage.open(io.BytesIO(shown.data)) as image:
        rendered = text.processor(images=[image], text=[text.render(prompt, 1)], **limits)
    return len(rendered["input_ids"][0])


class Examiner:
    """Has servers that take vLLM's requests pass their trial.

    Raises:
        UserError: the settings don't say what the model's pictures need.
    """

    def __init__(self, text: ChatText, config: EngineConfig, key: str | None) -> None:
        limit = picture_limit(text.processor)
        if config.max_tiles is None and limit.of == "tiles":
            raise UserError(
                f"engine.max_tiles: {config.model} cuts images into tiles: state the limit that its servers were started "
                "with (--mm-processor-kwargs), and as max_tiles of the sources"
            )
        if config.max_pixels is not None and limit.of != "pixels":
            raise UserError(
                f"engine.max_pixels: {config.model} does not count pixels: remove it, here and from the sources"
            )
        self._config, self._headers = config, headers(key)
        self._picture, self._length = fitting_picture(text, config)
        self._ids = text.chat(QUESTION, 1)

    def examine(self, url: str) -> Traits:
        """
        Raises:
            Fault: it does not answer, or not usably.
            UserError: it is not what the settings say.
        """
        config = self._config
        with httpx.Client(base_url=root(url), headers=self._headers, timeout=TRIAL_S) as client:
            listed = one_model(url, ask(client, "GET", "/v1/models"), config.model, config.folders)
            held = listed.get("max_model_len")
            if held != config.max_model_len:
                raise UserError(
                    f"engine.max_model_len={config.max_model_len}: {url} has {held}: set it to this, or start the server "
                    f"with --max-model-len {config.max_model_len}"
                )
            fingerprint = self._fingerprint(client, listed["id"])
            priorities = self._heeds_priorities(client, url)

            def drawn(n: int, seed: int, temperature: float) -> tokens.Reply:
                return self._drawn(client, url, n, seed, temperature, priorities)

            greedy, pair, second = drawn(1, SEED, 0.0), drawn(2, SEED, 1.0), drawn(1, SEED + 1, 1.0)
        if greedy.prompt_tokens != self._length:
            stated = [
                f"engine.{name}={value}" for name in ("max_tiles", "max_pixels") if (value := getattr(config, name))
            ]
            tiles = f" ({', '.join(stated)})" if stated else ""
            raise UserError(
                f"engine.urls: {url} makes a prompt of {greedy.prompt_tokens} tokens of a test picture, and the settings one of "
                f"{self._length}{tiles}: start it with the same limit of tiles or pixels in --mm-processor-kwargs"
            )
        if pair.drawn[1] != second.drawn[0]:
            raise UserError(
                f"engine.urls: {url} does not draw by seeds: draw 1 of a seed is not draw 0 of the next one"
            )
        return Traits(
            listed["id"],
            held,
            fingerprint,
            priorities,
            greedy.prompt_tokens,
            greedy.drawn[0].token_ids,
            tuple(one.token_ids for one in pair.drawn),
        )

    def _fingerprint(self, client: httpx.Client, name: str) -> str | None:
        """Replies with token ids carry none, others of the same server do."""
        plain = {"model": name, "prompt": list(self._ids[:1]), "max_tokens": 1, "temperature": 0.0}
        try:
            found = ask(client, "POST", "/v1/completions", plain).get("system_fingerprint")
        except (Refused, Fault):
            return None
        return found if isinstance(found, str) else None

    def _heeds_priorities(self, client: httpx.Client, url: str) -> bool:
        try:
            self._drawn(client, url, 1, SEED, 0.0, True)
        except Refused as refused:
            if "priority" not in refused.message:
                raise UserError(f"engine.urls: {url} refuses a request of the trial: {refused.message}") from refused
            return False
        return True

    def _drawn(
        self, client: httpx.Client, url: str, n: int, seed: int, temperature: float, priorities: bool
    ) -> tokens.Reply:
        sampling = SamplingConfig(max_tokens=LENGTH).model_copy(update={"temperature": temperature})
        asked = tokens.Ask(self._ids, sampling, n, seed, LENGTH)
        body = asked.body([part(self._picture, whole=True)], priorities)
        try:
            return tokens.read(ask(client, "POST", tokens.PATH, body), n, 1)
        except Fault as fault:
            if fault.kind == "wrong":
                raise UserError(
                    f"engine.urls: {url} gave the trial {fault.reason}: it can't draw for this run"
                ) from fault
            if fault.kind == "barred" and fault.reason.startswith("403"):
                raise UserError(f"engine.urls: {url} takes no token ids: start it with --enable-scale-out") from fault
            if fault.kind == "barred":
                raise UserError(
                    f"engine.urls: {url} has no {tokens.PATH} ({fault.reason}): it needs vLLM 0.32 or later, or set "
                    "engine.api=openai"
                ) from fault
            raise


QUESTION = "What does the picture show? Reason in steps."
LENGTH = 16
"""Tokens of an answer in a trial."""


def root(url: str) -> str:
    """The address that paths are put behind; people also give it with the first part of these."""
    return url.rstrip("/").removesuffix("/v1")


def headers(key: str | None) -> dict[str, str]:
    """Of every request. The only place where the key stands."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def one_model(url: str, listed: Mapping[str, Any], name: str, folders: Iterable[Path] = ()) -> Mapping[str, Any]:
    """The entry of the server's list of models that is asked: the one of this name, or loaded from it (`root`).

    A model of another name may be another checkpoint: with the same tokenizer nothing else would tell.

    Args:
        folders: of the config, where `name` may be a folder (`Strict.folders`).

    Raises:
        UserError: it has none.
    """
    models: Sequence[Mapping[str, Any]] = listed.get("data") or []
    place = located(name, folders)
    names = {name, place, os.path.abspath(place)}
    found = [one for key in ("id", "root") for one in models if one.get(key) in names]
    if not found:
        ids = ", ".join(str(one.get("id")) for one in models[:5]) or "none"
        raise UserError(
            f"engine.model={name}: {url} has other models ({ids}): start it with --served-model-name {name}"
        )
    return found[0]


def ask(client: httpx.Client, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    Raises:
        UserError: the server wants another key.
        Refused, Fault: as `read_reply`.
    """
    content = None if body is None else json.dumps(body)
    try:
        try:
            reply = client.request(method, path, content=content, headers=_JSON)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A server that has refused a request may close the connection as the next one comes.
            reply = client.request(method, path, content=content, headers=_JSON)
    except httpx.TransportError as error:
        raise of_transport(error) from error
    if reply.status_code == 401:
        raise UserError(
            f"engine.key_env: {client.base_url} wants a key, or another one: name the variable that holds it"
        )
    return read_reply(reply.status_code, reply.headers, reply.content)


_JSON = {"Content-Type": "application/json"}
