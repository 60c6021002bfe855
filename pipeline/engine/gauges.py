"""What an engine says of itself while it works: how full its batch is, how well its cache serves, when it idles."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Gauges:
    """Sums since the engine started; `kv_cache_use` is the latest reading, a share of the cache's blocks.

    `batch_tokens / steps` is the mean batch. Prompt tokens count once for every draw of a request, as the
    engine does. `prefix_exact` is whether greedy output is the same with and without a cached prefix: None if
    the engine has not been asked, or does not cache.
    """

    steps: int = 0
    batch_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0
    kv_cache_use: float = 0.0
    idle_s: float = 0.0
    prefix_exact: bool | None = None
    _under_way: int = field(default=0, repr=False)
    _idle_since: float | None = field(default=None, repr=False)

    def begin(self) -> None:
        """A request goes in."""
        if self._idle_since is not None:
            self.idle_s += time.monotonic() - self._idle_since
            self._idle_since = None
        self._under_way += 1

    def end(self) -> None:
        """A request is answered; without any other under way the engine idles from here on."""
        self._under_way -= 1
        if not self._under_way:
            self._idle_since = time.monotonic()

    def snapshot(self) -> dict[str, Any]:
        """The public numbers, as they are written beside a run."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}
