"""What a person sees while a run works, from the files in its directory alone."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from tqdm import tqdm

from pipeline.store import Store
from stages.annotate.plausible import Finding, find
from stages.annotate.tally import Tally, together

LIVE_S = 30.0
"""An engine whose counters are older than this is not running."""
INTERVAL_S = 15.0
"""Between two lines where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What the engines that run now have done since they started."""

    problems: int
    draws: int
    tokens: int
    seconds: float
    verdicts: Counter[str]
    engines: tuple[dict[str, Any], ...] = ()
    """The gauges of each engine, with the tokens that it wrote as `tokens` and the time that it has run as `seconds`."""
    tally: Tally = field(default_factory=Tally)
    """The answers of the problems that they have finished, those that came with the problems included."""
    silent_s: float = 0.0
    """For how long none of them has written anything."""

    @property
    def tokens_per_s(self) -> float | None:
        return self.tokens / self.seconds if self.seconds > 0 else None

    @property
    def verified_share(self) -> float | None:
        """The share of draws with a correct or incorrect verdict."""
        total = sum(self.verdicts.values())
        return (self.verdicts["correct"] + self.verdicts["incorrect"]) / total if total else None

    @property
    def silent(self) -> bool:
        """Whether the engines were stopped, hang or are gone: what they counted before says nothing of the time left."""
        return self.silent_s > LIVE_S

    def eta_s(self, pending: int) -> float | None:
        return pending * self.seconds / self.problems if self.problems and self.seconds > 0 else None


def current_rate(store: Store, since: float = 0.0) -> Rate:
    """Sums the counters of the engines that were alive lately, from `since` (Unix seconds) on."""
    now = time.time()
    return _sum([p for p in store.progress() if p["started"] >= since and (since or now - p["updated"] < LIVE_S)])


def last_rate(store: Store) -> tuple[Rate, float]:
    """The sum over the engines that were alive when the last of them wrote, and when that was (Unix seconds; 0: never)."""
    counters = store.progress()
    end = max((p["updated"] for p in counters), default=0.0)
    return _sum([p for p in counters if end - p["updated"] < LIVE_S]), end


def _sum(live: Sequence[dict[str, Any]]) -> Rate:
    seconds = max((p["updated"] - p["started"] for p in live), default=0.0)
    verdicts: Counter[str] = Counter()
    for counters in live:
        verdicts.update(counters["verdicts"])
    problems, draws, tokens = (sum(p[key] for p in live) for key in ("problems", "draws", "tokens"))
    engines = tuple({**p["engine"], "tokens": p["tokens"], "seconds": p["updated"] - p["started"]} for p in live)
    tally = together(Tally.from_row(p["tally"]) for p in live if "tally" in p)
    silent_s = max(0.0, time.time() - max((p["updated"] for p in live), default=time.time()))
    return Rate(problems, draws, tokens, seconds, verdicts, engines, tally, silent_s)


def describe_engines(rate: Rate) -> str | None:
    """Mean batch, prefix cache hits, idle share and preemptions over the engines that run; None without steps.

    An engine whose start-up check failed is told of.
    """

    def total(key: str) -> float:
        return sum(engine[key] for engine in rate.engines)

    if not total("steps"):
        return None
    hits = _hits(total("cached_tokens"), total("prompt_tokens"))
    inexact = sum(engine["prefix_exact"] is False for engine in rate.engines)
    warning = (
        f", {inexact} of {len(rate.engines)} engines: greedy output differs with a cached prefix" if inexact else ""
    )
    return (
        f"batch of {total('batch_tokens') / total('steps'):.0f}, {hits}"
        f"{total('idle_s') / max(total('seconds'), 1e-9):.1%} idle, {total('preemptions'):.0f} preemptions{warning}"
    )


def engine_lines(rate: Rate) -> list[tuple[str, str]]:
    """Where there are several engines, a name and a line for each: sums hide one that lags behind or idles."""
    if len(rate.engines) < 2:
        return []
    return [(f"engine {number}", _engine_line(engine)) for number, engine in enumerate(rate.engines, 1)]


def _engine_line(engine: dict[str, Any]) -> str:
    seconds = max(engine["seconds"], 1e-9)
    return (
        f"{engine['tokens'] / seconds:,.0f} tokens/s, {_hits(engine['cached_tokens'], engine['prompt_tokens'])}"
        f"{engine['idle_s'] / seconds:.1%} idle, {engine['preemptions']} preemptions, "
        f"KV cache {engine['kv_cache_use']:.0%} in use"
    )


def _hits(cached: float, asked: float) -> str:
    return f"{cached / asked:.0%} of prompt tokens cached, " if asked else ""


@contextmanager
def progress_bar(
    store: Store, total: int, done: int, before: Tally | None = None, out: TextIO = sys.stderr
) -> Iterator[None]:
    """A tqdm bar on a terminal, a line every fifteen seconds elsewhere.

    `before` is what the ledger held already. What cannot be right in it and what has come since is told in full once,
    in a line of its own, and in short beside the rate.
    """
    started, stop = time.time(), threading.Event()
    terminal = out.isatty()
    told: set[str] = set()

    def look() -> tuple[Rate, list[Finding]]:
        rate = current_rate(store, since=started)
        found = find(together([before or Tally(), rate.tally]))
        for one in found:
            if one.kind.name not in told:
                tqdm.write(warning(one), file=out)
                told.add(one.kind.name)
        out.flush()
        return rate, found

    def watch() -> None:
        with tqdm(
            total=total,
            initial=done,
            unit="problem",
            file=out,
            dynamic_ncols=terminal,
            ascii=not terminal,
            disable=not terminal,
        ) as bar:
            while not stop.wait(1.0 if terminal else INTERVAL_S):
                rate, found = look()
                if terminal:
                    bar.n = min(total, done + rate.problems)
                    bar.set_postfix_str(_describe(rate) + _silence(rate) + _in_short(found))
                    bar.refresh()
                else:
                    print(
                        f"{done + rate.problems} of {total} problems, {_describe(rate)}{_eta(rate, total, done)}"
                        f"{_in_short(found)}",
                        file=out,
                        flush=True,
                    )

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def warning(found: Finding) -> str:
    """The line that tells of a finding, wherever one stands for itself."""
    return f"warning: {found.text}"


def _in_short(found: Sequence[Finding]) -> str:
    return f", warning: {'; '.join(one.short for one in found)}" if found else ""


def _describe(rate: Rate) -> str:
    if not rate.problems:
        return "engine starting or first problems under way"
    speed = f"{rate.tokens_per_s:,.0f} tokens/s" if rate.tokens_per_s else "rate not known yet"
    share = f", {rate.verified_share:.1%} verified" if rate.verified_share is not None else ""
    engines = describe_engines(rate)
    return f"{rate.draws:,} draws, {speed}{share}" + (f", {engines}" if engines else "")


def _silence(rate: Rate) -> str:
    return f", no sign of life from an engine for {clock(rate.silent_s)}" if rate.silent else ""


def _eta(rate: Rate, total: int, done: int) -> str:
    if rate.silent:
        return _silence(rate)
    left = rate.eta_s(total - done - rate.problems)
    return "" if left is None else f", {clock(left)} left"


def clock(seconds: float) -> str:
    """`h:mm:ss`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
