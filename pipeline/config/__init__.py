"""The run's configuration: pydantic models, a YAML file and `key.sub=value` overrides.

Unknown keys fail. Every field's docstring gives its unit. Fields outside `LEDGER_FREE` decide what the
ledger holds: a run directory accepts only configurations that agree on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    BeforeValidator,
    Field,
    model_validator,
)

from pipeline.config.engine import EngineConfig as EngineConfig
from pipeline.config.label import LabelConfig as LabelConfig
from pipeline.records import OverlapKind
from pipeline.registry import Registry
from pipeline.settings import Strict, flat, load_settings, only_if_set, parse_settings
from pipeline.source_config import SourceConfig, expand_sources

LEDGER_FREE = (
    "run_dir",
    "output_dir",
    "data_root",
    "label",
    "publish",
    "ray",
    "limits",
    "budget",
    "rollout.max_truncated",
    "engine.replicas",
    "engine.tensor_parallel_size",
    "engine.max_in_flight",
    "engine.timeout_s",
    "engine.urls",
    "engine.key_env",
    "engine.wait_s",
    "engine.gpus",
    "engine.ship_model",
    "verify.workers",
)
"""Dotted keys that may change between two calls on one run directory."""


class _Heeding(Protocol):
    """What settings need to know of a strategy."""

    @property
    def parameters(self) -> tuple[str, ...]: ...


_STRATEGIES: Registry[_Heeding] = Registry("stages.rollout.strategies:STRATEGIES")
StrategyName = Annotated[str, BeforeValidator(_STRATEGIES.check)]
_SPLITTERS: Registry[Any] = Registry("stages.split.kinds:KINDS")
SplitterName = Annotated[str, BeforeValidator(_SPLITTERS.check_or_function)]


class ContaminationConfig(Strict):
    """Benchmarks that the problems must not overlap with, and what counts as an overlap."""

    against: tuple[SourceConfig, ...] = Field(min_length=1)
    """The benchmarks, written like sources; their answers are not read."""
    ngram: int = Field(default=13, ge=2)
    """Consecutive words (Chinese: characters) that two questions must share; shorter questions must be equal."""
    max_common: int = Field(default=10, ge=1)
    """Consecutive words that more questions of a benchmark than this share are boilerplate, and are ignored."""
    max_distance: int = Field(default=4, ge=0, le=16)
    """Bits, of 64, by which the perceptual hashes of the same image may differ."""
    drop: tuple[OverlapKind, ...] = ()
    """Kinds of overlap whose problems are left out; the others are flagged."""

    @model_validator(mode="after")
    def _names_differ(self) -> ContaminationConfig:
        _check_names("contamination.against", self.against)
        return self


class SamplingConfig(Strict):
    """How solutions and continuations are drawn from the policy."""

    num_solutions: int = Field(default=4, ge=1)
    """Solutions per problem (paper: 4)."""
    temperature: float = Field(default=1.0, gt=0)
    """Softmax temperature."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus share."""
    top_k: int = Field(default=0, ge=0)
    """The number of likeliest tokens to draw from; 0 for all."""
    max_tokens: int = Field(default=1024, ge=1)
    """The most tokens in a whole response; a continuation may use what its prefix left."""
    max_thinking_tokens: int | None = Field(default=None, ge=1, exclude_if=lambda tokens: tokens is None)
    """The most tokens of thinking: then the text behind `{close_thinking}` in the prompt file ends it; null for no limit."""
    greedy_first: bool = False
    """Solution 0 takes the likeliest token each time, like VLMEvalKit's candidate 0; the others are drawn."""


class SplitConfig(Strict):
    """How a solution is cut into steps."""

    kind: SplitterName = Field(default="blank_lines", exclude_if=lambda kind: kind == "blank_lines")
    """Where it is cut (docs/splitting.md); `module:function` is your own: text to its pieces, in order."""
    tokens: int = Field(default=100, ge=1, exclude_if=lambda tokens: tokens == 100)
    """The tokens that `kind: tokens` gathers paragraphs to, about."""
    part: Literal["all", "thinking", "answer"] = Field(default="all", exclude_if=lambda part: part == "all")
    """Whose steps are measured: those of the thinking, of the answer after it, or all. The other part is context."""
    opened: bool | None = only_if_set()
    """Whether responses begin inside the thinking, without an opening tag; by default if the policy's chat template writes it."""
    max_steps: int = Field(default=12, ge=1)
    """Longer solutions are merged evenly (paper: 12)."""


class RolloutConfig(Strict):
    """How many continuations each step prefix gets."""

    strategy: StrategyName = "fixed"
    """How many draws each prefix gets (docs/strategies.md); `fixed` gives every prefix `num_draws`."""
    num_draws: int = Field(default=16, ge=0)
    """Continuations per prefix (paper: 16), or the most of them if a strategy stops earlier; 0 for solutions only."""
    rounds: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(4, 4, 8), min_length=1)
    """Draws in each round until the first success; the last size repeats. Not for `fixed`, `sequential_ci`."""
    ci_round: int = Field(default=4, ge=1)
    """Draws in a round of `sequential_ci`."""
    ci_half_width: float = Field(default=0.2, gt=0, lt=0.5)
    """`sequential_ci` stops when it knows mc to ± this (90 % Jeffreys interval)."""
    audit_fraction: float = Field(default=0.03, ge=0, le=1)
    """Share of the solutions that get every draw under `right_to_left` and `binary_search`."""
    max_truncated: float | None = Field(default=0.25, ge=0, lt=1, exclude_if=lambda share: share == 0.25)
    """The share of draws cut by the token limit above which no new problem is begun, from the 50th on; null: none."""
    complete_prefix: Literal["own_answer", "sample"] = "own_answer"
    """The last step's score: the solution's own verdict, or draws as for any other step."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that this strategy heeds, as JSON values."""
        heeded = _STRATEGIES.entries()[self.strategy].parameters
        return self.model_dump(mode="json", include={"num_draws", *heeded})

    @property
    def description(self) -> str:
        """The strategy and its parameters as the ledger names them: `first_success num_draws=16 rounds=4,4,8`."""
        values = {key: ",".join(map(str, value)) if isinstance(value, list) else value
                  for key, value in self.parameters.items()}  # fmt: skip
        return " ".join([self.strategy, *(f"{key}={value}" for key, value in values.items())])


class VerifyConfig(Strict):
    """How answers are judged."""

    time_limit_s: float = Field(default=5.0, gt=0)
    """CPU seconds for one answer; the limit on wall-clock time is six times as long."""
    workers: int = Field(default=1, ge=1)
    """Verifier processes per engine."""
    compat: Literal["internvl"] | None = None
    """`internvl` decides as the reference code does, its defects included, to compare with released data."""


class PublishConfig(Strict):
    """The shape of the published dataset."""

    max_shard_bytes: int = Field(default=500_000_000, ge=1)
    """Bytes after which a new shard begins."""
    row_group_rows: int = Field(default=256, ge=1)
    """Rows in a row group; a problem is never split between two."""
    card_sections: tuple[str, ...] = ()
    """`module:function`s that add Markdown to the card. Each gets the run's store, the shards' folder and the ledger
    files that the shards were made from: the store's own, or copies of these with other verdicts and no texts."""


class InputConfig(Strict):
    """What a run starts from, besides its sources."""

    ledger: str | None = None
    """An earlier run's directory: this run takes over its problems, solutions and draws, and draws what is missing."""
    responses: str | None = None
    """A `.jsonl` file of solutions to annotate instead of sampled ones (docs/given_responses.md)."""
    responses_policy: str | None = None
    """The name of the policy that wrote `responses`; `given` by default."""

    @model_validator(mode="after")
    def _one_start(self) -> InputConfig:
        if self.ledger is not None and self.responses is not None:
            raise ValueError("input.ledger holds solutions already: remove input.responses, or the ledger")
        return self


class RayConfig(Strict):
    """Where Ray is and how it cuts the work."""

    address: str | None = None
    """A running cluster (`auto`, `host:port`); without one, Ray starts on this machine."""
    rows_per_block: int = Field(default=4, ge=1)
    """Problems that are committed together: what a crash repeats, against Ray's cost per block (docs/scaling.md)."""
    wait_s: float | None = Field(default=300.0, ge=0, exclude_if=lambda seconds: seconds == 300.0)
    """Seconds to wait until a cluster has a place for an engine; null waits for ever."""


class LimitsConfig(Strict):
    """Where a run ends early, because its results cannot be right (docs/adding_a_source.md); null: nowhere.

    A run of solutions alone (`rollout.num_draws: 0`) has no limits.
    """

    truncated: float | None = Field(default=None, ge=0, lt=1)
    """The largest share of draws that may be cut at `sampling.max_tokens`."""
    no_answer: float | None = Field(default=None, ge=0, lt=1)
    """The largest share of draws that may hold no answer."""
    verdict_errors: float | None = Field(default=None, ge=0, lt=1)
    """The largest share of draws that the verifier may fail to judge."""
    none_right: int | None = Field(default=None, ge=1)
    """Solutions and continuations of one source, all of them wrong, after which the run ends."""
    min_draws: int = Field(default=1000, ge=1)
    """Draws of the whole run before a share counts."""

    @property
    def are_set(self) -> bool:
        return any(value is not None for value in self.model_dump(exclude={"min_draws"}).values())


class BudgetConfig(Strict):
    """What a run may use of servers, in all calls of its command together; then it begins no new block; null: no bound."""

    prompt_tokens: int | None = Field(default=None, ge=1)
    """Tokens of prompts, images included, as the servers' replies count them."""
    completion_tokens: int | None = Field(default=None, ge=1)
    """Tokens that the servers wrote."""


class RunConfig(Strict):
    """Everything that a dataset run needs."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the run directory and the dataset."""
    seed: int = 0
    """Every random number of the run follows from it."""
    run_dir: str = ""
    """Where the run lives: a folder or an `s3://` address; `runs/<name>` by default."""
    output_dir: str = ""
    """Where the dataset is published; `data/<name>` by default."""
    prompt: str = "prompts/final_answer_v1.txt"
    """The prompt file for all sources that name none."""
    data_root: str | None = None
    """The folder that relative `path`s and `images` of sources start from; `$NAME` is an environment variable."""
    sources: tuple[SourceConfig, ...]
    """The benchmarks. `source_defaults` holds keys for all of them; an entry with `names` stands for several."""
    contamination: ContaminationConfig | None = None
    """What the problems are compared with; nothing by default."""
    input: InputConfig = InputConfig()
    engine: EngineConfig = EngineConfig()
    sampling: SamplingConfig = SamplingConfig()
    split: SplitConfig = SplitConfig()
    rollout: RolloutConfig = RolloutConfig()
    verify: VerifyConfig = VerifyConfig()
    label: LabelConfig = LabelConfig()
    publish: PublishConfig = PublishConfig()
    ray: RayConfig = RayConfig()
    limits: LimitsConfig = Field(default=LimitsConfig(), exclude_if=lambda limits: limits == LimitsConfig())
    budget: BudgetConfig = Field(default=BudgetConfig(), exclude_if=lambda budget: budget == BudgetConfig())

    @model_validator(mode="before")
    @classmethod
    def _default_places(cls, data: Any) -> Any:
        if isinstance(data, dict) and "name" in data:
            data = {"run_dir": f"runs/{data['name']}", "output_dir": f"data/{data['name']}", **data}
        return data

    @model_validator(mode="before")
    @classmethod
    def _short_sources(cls, data: Any) -> Any:
        return expand_sources(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        if self.sampling.max_tokens >= self.engine.max_model_len:
            raise ValueError(
                f"sampling.max_tokens={self.sampling.max_tokens} leaves no room for a prompt in "
                f"engine.max_model_len={self.engine.max_model_len}: lower the first or raise the second"
            )
        if (most := self.sampling.max_thinking_tokens) is not None and most >= self.sampling.max_tokens:
            raise ValueError(
                f"sampling.max_thinking_tokens={most} leaves no room for an answer in "
                f"sampling.max_tokens={self.sampling.max_tokens}: lower the first or raise the second"
            )
        if not self.sources:
            raise ValueError("sources: the list is empty: name at least one")
        _check_names("sources", self.sources)
        if self.engine.kind == "server":
            for source in self.sources:
                _check_limits(source, self.engine)
        if self.budget != BudgetConfig() and self.engine.kind != "server":
            raise ValueError("budget is heeded by engine.kind=server alone: leave it out")
        return self


def _check_limits(source: SourceConfig, engine: EngineConfig) -> None:
    for name in ("max_tiles", "max_pixels"):
        theirs, wanted = getattr(engine, name), getattr(source, name)
        # Every source has a number of tiles, also for models that cut none.
        if theirs != wanted and not (name == "max_tiles" and theirs is None):
            raise ValueError(
                f"source {source.name}: {name}={wanted}, and the servers have engine.{name}={theirs}: set both to what "
                "their --mm-processor-kwargs say"
            )


def _check_names(key: str, sources: Sequence[SourceConfig]) -> None:
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{key} share the name {twice[0]!r}: give each its own")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run's configuration from a YAML file; see `load_settings`."""
    return load_settings(RunConfig, path, overrides)


def parse_config(data: dict[str, Any], overrides: Sequence[str] = (), origin: str = "config") -> RunConfig:
    return parse_settings(RunConfig, data, overrides, origin)


def ledger_view(config: RunConfig) -> dict[str, Any]:
    """The configuration as flat dotted keys, without those that don't affect the ledger."""
    of_strategies = {name for strategy in _STRATEGIES.entries().values() for name in strategy.parameters}
    unheeded = of_strategies - config.rollout.parameters.keys()
    engine = config.engine.model_copy(update={"args": config.engine.drawing_args})
    made = config.model_copy(update={"engine": engine})
    return {
        key: value
        for key, value in flat(made.model_dump(mode="json", exclude={"rollout": unheeded})).items()
        if not any(key == free or key.startswith(free + ".") for free in LEDGER_FREE)
    }
