"""What an engine says of itself while it works: how full its batch is, how well its cache serves, when it idles."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Gauges:
    """Sums since the engine started; `kv_cache_use` is the latest reading, a share of the cache's blocks.

    `batch_tokens / steps` is the mean batch. Prompt tokens count once for every draw of a request, as the
    engine does. `answered` counts requests. Of servers: `asked_tokens` and `written_tokens` are what their replies
    count as used, a prompt once for each request; `faults` are tries that gave no usable reply. `prefix_exact` is
    whether greedy output is the same with and without a cached prefix, `prefix_reused` whether a prefix was found
    again at all: None if the engine has not been asked, or does not cache.
    """

    steps: int = 0
    batch_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0
    answered: int = 0
    asked_tokens: int = 0
    written_tokens: int = 0
    faults: int = 0
    kv_cache_use: float = 0.0
    idle_s: float = 0.0
    prefix_exact: bool | None = None
    prefix_reused: bool | None = None
    _under_way: int = field(default=0, repr=False)
    _idle_since: float | None = field(default_factory=lambda: time.monotonic(), repr=False)

    def ready(self) -> None:
        """The model is loaded: what came before was no idling."""
        self._idle_since = time.monotonic()

    def begin(self) -> None:
        """A request goes in."""
        self.idle_s += self._idling()
        self._idle_since = None
        self._under_way += 1

    def end(self) -> None:
        """A request is answered; without any other under way the engine idles from here on."""
        self._under_way -= 1
        self.answered += 1
        if not self._under_way:
            self._idle_since = time.monotonic()

    def snapshot(self) -> dict[str, Any]:
        """The public numbers, as they are written beside a run; the idle time that still goes on counts."""
        found = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        return {**found, "idle_s": self.idle_s + self._idling()}

    def _idling(self) -> float:
        """For how long the engine has been idle by now, in seconds."""
        # Read once: the meter's thread asks while the engine's begins.
        since = self._idle_since
        return 0.0 if since is None else time.monotonic() - since
