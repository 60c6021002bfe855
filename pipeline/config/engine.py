"""The settings of engines: the policy, a judge or a critic, and what it runs on."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.settings import Strict, only_if_set

FREE_ARGS = (
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "max_num_seqs",
    "max_num_batched_tokens",
    "enforce_eager",
    "swap_space",
    "scheduling_policy",
)
"""Keys of `engine.args` that fit the engine to its machine and do not change its draws. They may change, too."""
DRAWN_WITH = frozenset({"dtype", "max_model_len", "chat_template", "batch_invariant", "api"})
"""Settings of an engine that change what it draws, beside its model and `drawing_args`. Chat completions take prefixes as text,
so they draw others than vLLM's own requests; `api` is left out where it is `vllm`."""


class ReplicasConfig(Strict):
    """Bounds of the number of engines, which then follows what the cluster has."""

    min: int = Field(default=1, ge=1)
    max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> ReplicasConfig:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max={self.max} is below min={self.min}: raise the first or lower the second")
        return self


def _number_or_bounds(value: Any) -> str:
    # In brackets, which keeps these words out of messages (`settings.py`).
    return (
        "<bounds>" if isinstance(value, (dict, ReplicasConfig)) else "<auto>" if isinstance(value, str) else "<number>"
    )


Replicas = Annotated[
    Annotated[int, Field(ge=1), Tag("<number>")]
    | Annotated[Literal["auto"], Tag("<auto>")]
    | Annotated[ReplicasConfig, Tag("<bounds>")],
    Discriminator(_number_or_bounds),
]


class EngineConfig(Strict):
    """The policy and what it runs on."""

    kind: Literal["vllm", "server", "scripted", "function"] = "vllm"
    """`server` asks servers that run (docs/serving_the_policy.md); `scripted` answers from a hash of its seed, without a model:
    for tests and capacity trials; `function` is your own."""
    model: str = "demo/policy"
    """A local folder or a hub id that vLLM loads, here or at the `urls`; with `api: openai` the model's name there; of
    `function` the `module:function` that makes an engine from these settings."""
    urls: tuple[str, ...] = Field(default=(), exclude_if=lambda urls: not urls)
    """Of `server`: where servers of the model answer, as `http://host:8000`; requests are spread over them."""
    api: Literal["vllm", "openai"] = Field(default="vllm", exclude_if=lambda api: api == "vllm")
    """Of `server`: vLLM's own requests, by token ids and seeds, or chat completions as OpenAI has them."""
    key_env: str | None = only_if_set()
    """Of `server`: the environment variable that holds its key, where the engine runs; the key itself is recorded nowhere."""
    max_tiles: int | None = Field(default=None, ge=1, exclude_if=lambda tiles: tiles is None)
    """Of `server`: the most tiles of an image, which its `--mm-processor-kwargs` set; null for a model that cuts none."""
    max_pixels: int | None = Field(default=None, ge=1, exclude_if=lambda pixels: pixels is None)
    """Of `server`: the most pixels of an image, which its `--mm-processor-kwargs` set; null where they set none."""
    wait_s: float = Field(default=120.0, gt=0, exclude_if=lambda seconds: seconds == 120.0)
    """Of `server`: seconds for which none of the `urls` may answer before the run ends, to be resumed."""
    replicas: Replicas = 1
    """Engines at once, each in its own Ray actor; `auto`: as many as there are GPUs for, now and as nodes come and go."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that vLLM spreads one engine over."""
    gpus: float | None = Field(default=None, ge=0, exclude_if=lambda gpus: gpus is None)
    """GPUs that Ray sets aside for one engine; by default those of vLLM, where the cluster has or can get any."""
    ship_model: bool = Field(default=False, exclude_if=lambda ship: not ship)
    """Send a local model of more than 64 MiB to nodes of a cluster that lack it; smaller ones are always sent."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Number type of the weights; `auto` takes what the machine multiplies fast and records it in the run."""
    max_model_len: int = Field(default=4096, ge=16)
    """Context length in tokens: prompt, images and response."""
    max_in_flight: int = Field(default=32, ge=1)
    """Problems that one engine works on at once."""
    timeout_s: float = Field(default=600.0, gt=0, exclude_if=lambda seconds: seconds == 600.0)
    """Seconds without progress, while problems are under way, after which an engine is ended and they are tried again."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""
    chat_template: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda arguments: not arguments)
    """Arguments for the model's chat template, such as `enable_thinking: false`; one that it does not read is refused."""
    batch_invariant: bool = Field(default=False, exclude_if=lambda on: not on)
    """vLLM's mode in which a draw does not depend on what else is in the batch, so that a GPU gives the same bytes each time."""
    args: dict[str, Any] = Field(default_factory=dict)
    """More keyword arguments of vLLM's `AsyncEngineArgs`."""

    @model_validator(mode="after")
    def _of_server(self) -> EngineConfig:
        if self.kind != "server":
            for name in ("urls", "api", "key_env", "max_tiles", "max_pixels", "wait_s"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is heeded by kind=server alone, and kind is {self.kind}: leave it out")
            return self
        if not self.urls:
            raise ValueError("kind=server: urls is empty: name at least one, as http://host:8000")
        for url in self.urls:
            _check_url(url)
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("urls: one of them is there twice: each server counts once")
        if self.api == "vllm" and self.dtype == "auto":
            raise ValueError("kind=server: dtype is the server's: state its --dtype, which ids and seeds follow from")
        for name in ("tensor_parallel_size", "gpus", "batch_invariant"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"kind=server: {name} is the server's own: leave it out")
        return self

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The fewest and the most engines at once; None where only the cluster sets a bound."""
        if isinstance(self.replicas, int):
            return self.replicas, self.replicas
        return (1, None) if self.replicas == "auto" else (self.replicas.min, self.replicas.max)

    @property
    def drawing_args(self) -> dict[str, Any]:
        """The `args` that draws may depend on."""
        return {key: value for key, value in self.args.items() if key not in FREE_ARGS}


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"urls: {url!r} is no address: write http://host:8000")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            f"urls: {parts.hostname}: an address holds no user, key or query: name the key's variable by key_env"
        )
