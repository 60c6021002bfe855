"""A server in the test's own process that speaks as vLLM 0.32 does, and fails as it is told.

Its draws follow from seed, prompt and pictures alone; `drawn` says which they are. Requests and replies have the fields of
those that were recorded from a vLLM server of the demo's policy.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from pipeline.engine.scripted_json import json_text

Trick = Literal["429", "500", "half", "reset", "slow", "fewer", "blind", "aborted", "filtered", "401", "402", "403"]
"""What it does to one request for draws: answers so, sends half a body, breaks off, is slow, leaves out a draw, sees no picture."""
LONGEST = 12
"""Tokens of a draw."""


def drawn(
    seed: int,
    token_ids: Sequence[int],
    pictures: Sequence[str],
    temperature: float,
    most: int,
    alphabet: Sequence[int] = range(10, 200),
) -> list[int]:
    """The ids of the draw of a seed; without a temperature the seed says nothing."""
    rng = random.Random(f"{seed if temperature else ''} {list(token_ids)} {list(pictures)}")
    return [rng.choice(alphabet) for _ in range(min(most, rng.randint(1, LONGEST)))]


def chat_answer(seed: int, words: Sequence[str], pictures: Sequence[str], temperature: float) -> str:
    """The answer of a seed in chat completions."""
    rng = random.Random(f"{seed if temperature else ''} {list(words)} {[url[-20:] for url in pictures]}")
    return "\n\n".join(f"height = {rng.randrange(10)}." for _ in range(rng.randint(3, 6)))


@dataclass
class Stub:
    """What the server is, and what it saw."""

    model: str = "demo/policy"
    root: str | None = None
    """What it was loaded from, where that is another name."""
    max_model_len: int = 4096
    fingerprint: str | None = "vllm-0.32.0-12345678"
    placeholder: int = -1
    """The id that stands for a picture in a prompt."""
    picture_tokens: int = 16
    """What such an id becomes."""
    max_num_seqs: int = 256
    priorities: bool = True
    scale_out: bool = True
    key: str | None = None
    seeds: bool = True
    """Whether draws follow from seeds."""
    slow_s: float = 0.0
    owner: str = "vllm"
    """Of the model, as its list says."""
    prefill: Literal["goes on", "begins anew", "refuses"] = "goes on"
    """What chat completions do with an answer that was begun."""
    unknown: tuple[str, ...] = ()
    """Fields that chat completions refuse."""
    one_answer: bool = False
    """Whether they give one answer, however many are asked for."""
    same: Literal["choices", "seeds", "all"] | None = None
    """What its chat completions are equal over: the choices of a request, requests with a seed, or all."""
    encode: Callable[[str], Sequence[int]] | None = None
    """What gives the ids of an answer of chat completions, where these have any."""
    end_id: int = 2
    alphabet: Sequence[int] = range(10, 200)
    """The ids that draws have."""
    decode: Callable[[Sequence[int]], str] = lambda ids: " ".join(map(str, ids))
    """What gives the text of these."""
    writes: Literal["text", "json", "babble"] = "text"
    """What it answers where a schema is asked for."""
    tricks: dict[int, Trick] = field(default_factory=dict)
    """By the number of the request for draws, from 0 on."""
    every: Trick | None = None
    """Of all of them, once it is set."""
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_full: list[str] = field(default_factory=list)
    """The hashes of the pictures that came with data."""
    _known: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """What it was asked so far is forgotten: the next request for draws is number 0."""
        with self._lock:
            self.bodies.clear()
            self.headers.clear()
            self.in_full.clear()

    def trick(self, body: dict[str, Any], headers: dict[str, str]) -> Trick | None:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            return self.every or self.tricks.get(len(self.bodies) - 1)

    def generate(self, body: dict[str, Any], trick: Trick | None) -> tuple[int, dict[str, Any]]:
        """Status and reply of `/inference/v1/generate`."""
        sampling, ids = body["sampling_params"], body["token_ids"]
        if not self.scale_out:
            return 403, {"detail": "This endpoint is not enabled."}
        if body.get("priority") and not self.priorities:
            return _refused("Got priority 1 but Priority scheduling is not enabled.")
        if (n := sampling["n"]) > self.max_num_seqs:
            return _refused(
                f"sampling_params.n must be at most the server's max_num_seqs ({self.max_num_seqs}), got {n}."
            )
        pictures = []
        for index, part in enumerate(body.get("content_parts", ())):
            if part.get("url"):
                self.in_full.append(part["uuid"])
                self._known.add(part["uuid"])
            elif part["uuid"] not in self._known:
                return _refused(f"Cache miss for image at index {index} but data is not provided.")
            pictures.append(part["uuid"])
        if trick == "blind":
            pictures = []
        expanded = self._expanded(ids, len(pictures))
        if len(expanded) + 1 > self.max_model_len:
            text = f"The decoder prompt (length {len(expanded)}) is longer than the maximum model length of {self.max_model_len}."
            return _refused(text)
        # As the context has room for, where that is less.
        most = min(sampling["max_tokens"], self.max_model_len - len(expanded))
        choices = []
        for child in range(n - (trick == "fewer")):
            seed = sampling["seed"] + child if self.seeds else random.getrandbits(48)
            found = drawn(seed, ids, pictures, sampling["temperature"], most, self.alphabet)
            reason = "abort" if trick == "aborted" else "length" if len(found) == most else "stop"
            text = self.decode(found)
            choices.append(
                {"index": child, "token_ids": found, "text": text, "finish_reason": reason, "stop_reason": None}
            )
        # Not in the order of seeds.
        choices.reverse()
        places = [{"offset": 0, "length": self.picture_tokens} for _ in pictures]
        return 200, {
            "request_id": "generate-tokens-1",
            "model": self.model,
            "choices": choices,
            "usage": {"prompt_tokens": len(expanded), "prompt_tokens_details": {"cached_tokens": 3}},
            "prompt_token_ids": expanded,
            "mm_placeholders": {"image": places} if places else None,
        }

    def chat(self, body: dict[str, Any], trick: Trick | None) -> tuple[int, dict[str, Any]]:
        """Status and reply of `/v1/chat/completions`."""
        if field := next((name for name in self.unknown if name in body), None):
            return _refused(f"Unsupported parameter: '{field}' is not supported with this model.")
        messages = body["messages"]
        begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
        if begun and self.prefill == "refuses":
            return _refused("This model does not support assistant message prefill.")
        content = messages[0]["content"]
        pictures = [part["image_url"]["url"] for part in content if part["type"] == "image_url" and trick != "blind"]
        words = [part["text"] for part in content if part["type"] == "text"]
        n = 1 if self.one_answer else body.get("n", 1)
        choices = []
        for child in range(n - (trick == "fewer")):
            seed = body.get("seed", 0) + (0 if self.same == "choices" else child)
            if self.same in ("seeds", "all"):
                seed = 0 if self.same == "all" or "seed" in body else random.getrandbits(48)
            text, reason = self._answer(seed, words, pictures, body)
            if begun and self.prefill == "goes on":
                text = text.removeprefix(begun)
            ids = [*self.encode(text), *([self.end_id] if reason == "stop" else [])] if self.encode else None
            message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
            if trick == "filtered":
                message, reason = {"role": "assistant", "content": None, "refusal": "no"}, "content_filter"
            choices.append({"index": child, "message": message, "finish_reason": reason, "token_ids": ids})
        used = {"prompt_tokens": 10 + self.picture_tokens * len(pictures), "completion_tokens": 7 * len(choices)}
        return 200, {"model": self.model, "choices": choices, "system_fingerprint": self.fingerprint, "usage": used}

    def _answer(self, seed: int, words: list[str], pictures: list[str], body: dict[str, Any]) -> tuple[str, str]:
        if (form := body.get("response_format")) and self.writes != "text":
            if self.writes == "babble":
                return "{  \n" * 20, "length"
            return json_text(form["json_schema"]["schema"], seed), "stop"
        return chat_answer(seed, words, pictures, body["temperature"]), "stop"

    def _expanded(self, ids: Sequence[int], pictures: int) -> list[int]:
        out: list[int] = []
        for token in ids:
            if token == self.placeholder and pictures:
                out += [token] * self.picture_tokens
                pictures -= 1
            else:
                out.append(token)
        return out


def _refused(message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def running(stub: Stub, port: int = 0) -> Iterator[Stub]:
    """The server, for the body; its address is `stub.url`."""
    server = _Server(("127.0.0.1", port), _handler(stub))
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self._barred():
                return
            entry = {
                "id": stub.model,
                "object": "model",
                "owned_by": stub.owner,
                "root": stub.root or stub.model,
                "parent": None,
                "max_model_len": stub.max_model_len,
            }
            self._send(200, {"object": "list", "data": [entry]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self._barred():
                return
            if self.path == "/v1/completions":
                self._send(200, {"choices": [], "system_fingerprint": stub.fingerprint})
                return
            if self.path not in ("/inference/v1/generate", "/v1/chat/completions"):
                self._send(404, {"detail": "Not Found"})
                return
            trick = stub.trick(body, dict(self.headers))
            if trick == "slow":
                time.sleep(stub.slow_s)
            if trick in ("429", "500", "401", "402", "403"):
                message = {"message": f"told to answer {trick}", "code": int(trick)}
                self._send(int(trick), {"error": message})
                return
            if trick == "reset":
                self.close_connection = True
                return
            answer = stub.chat if self.path.startswith("/v1/chat") else stub.generate
            self._send(*answer(body, trick), half=trick == "half")

        def _barred(self) -> bool:
            if stub.key is None or self.headers.get("Authorization") == f"Bearer {stub.key}":
                return False
            self._send(401, {"error": "Unauthorized"})
            return True

        def _send(self, status: int, reply: dict[str, Any], half: bool = False) -> None:
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if half else data)
            self.close_connection = self.close_connection or half

    return Handler
