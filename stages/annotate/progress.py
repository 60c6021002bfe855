"""What a person sees while a run works, from the files in its directory alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline.store import Store
from pipeline.terminal.bar import Bar, clock
from pipeline.terminal.speak import say
from stages.annotate.plausible import Finding, find
from stages.annotate.tally import Tally, together

LIVE_S = 30.0
"""An engine whose counters are older than this is not running."""
MOST_NAMED = 8
"""Nodes in a line."""
INTERVAL_S = 3.0
"""Between two looks where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What the engines that run now have done since they started."""

    problems: int
    draws: int
    tokens: int
    seconds: float
    verdicts: Counter[str]
    engines: tuple[dict[str, Any], ...] = ()
    """The gauges of each engine, with the tokens that it wrote as `tokens`, the time that it has run as `seconds`, its `place`."""
    tally: Tally = field(default_factory=Tally)
    """The answers of the problems that they have finished, those that came with the problems included."""
    silent_s: float = 0.0
    """For how long none of them has written anything."""

    @property
    def tokens_per_s(self) -> float | None:
        return self.tokens / self.seconds if self.seconds > 0 else None

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


def _sum(living: Sequence[dict[str, Any]]) -> Rate:
    # A process notes itself before its engine has started.
    live = [row for row in living if row.get("ready", True)]
    seconds = max((p["updated"] - p["started"] for p in live), default=0.0)
    verdicts: Counter[str] = Counter()
    for counters in live:
        verdicts.update(counters["verdicts"])
    problems, draws, tokens = (sum(p[key] for p in live) for key in ("problems", "draws", "tokens"))
    engines = tuple(
        {
            **p["engine"],
            "tokens": p["tokens"],
            "seconds": p["updated"] - p["started"],
            "place": _place(p["process"]) if "process" in p else "",
        }
        for p in live
    )
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
    # Runs of earlier versions did not note whether a prefix was found again.
    useless = sum(engine.get("prefix_reused") is False for engine in rate.engines)
    warning = (
        f", {inexact} of {len(rate.engines)} engines: greedy output differs with a cached prefix" if inexact else ""
    )
    warning += f", {useless} of {len(rate.engines)} engines: no prefix is found again" if useless else ""
    return (
        f"batch of {total('batch_tokens') / total('steps'):.0f}, {hits}"
        f"{total('idle_s') / max(total('seconds'), 1e-9):.1%} idle, {total('preemptions'):.0f} preemptions{warning}"
    )


def where_engines_ran(store: Store, since: float) -> str | None:
    """`3 engines ran on 2 nodes (a 10.0.0.1: 2, b 10.0.0.2: 1)`, those included that died; None if it was one engine."""
    rows = [
        row["process"] for row in store.progress() if row["started"] >= since and row.get("ready") and "process" in row
    ]
    if len(rows) < 2:
        return None
    nodes = Counter((process["node"], _place(process)) for process in rows)
    named = [f"{place}: {count}" for (_, place), count in sorted(nodes.items(), key=lambda item: item[0][1])]
    more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    where = f"{len(nodes)} nodes" if len(nodes) > 1 else "one node"
    return f"{len(rows)} engines ran on {where} ({', '.join(named[:MOST_NAMED])}{more})"


def _place(process: dict[str, Any]) -> str:
    return f"{process['host']} {process.get('ip') or ''}".strip()


def engine_lines(rate: Rate) -> list[tuple[str, str]]:
    """Where there are several engines, a name and a line for each: sums hide one that lags behind or idles."""
    if len(rate.engines) < 2:
        return []
    return [
        (f"engine {number}", f"{engine['place']}{', ' * bool(engine['place'])}{_engine_line(engine)}")
        for number, engine in enumerate(rate.engines, 1)
    ]


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
    store: Store,
    total: int,
    done: int,
    before: Tally | None = None,
    engines: int | None = 1,
    what: str = "continuations",
) -> Iterator[None]:
    """While the body annotates: when its `engines` are ready, and then a bar, or a line now and then.

    `before` is what the ledger held already. What cannot be right in it and what has come since is told in full once,
    in a line of its own, and in short beside the rate. `what` are the answers that the engines give.
    """
    stop = threading.Event()
    arguments = (store, total, done, before or Tally(), engines, stop, what)
    thread = threading.Thread(target=_watch, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(
    store: Store, total: int, done: int, before: Tally, engines: int | None, stop: threading.Event, what: str
) -> None:
    started, ready = time.time(), 0
    told: set[str] = set()
    with closing(Bar(total, "problem", "", done)) as bar:
        while not stop.wait(1.0 if bar.terminal else INTERVAL_S):
            try:
                rate = current_rate(store, since=started)
            except OSError:
                # A store that does not answer now may do so at the next look.
                continue
            if len(rate.engines) > ready:
                ready = len(rate.engines)
                say(_ready(ready, engines, time.time() - started))
            found = find(together([before, rate.tally]))
            for one in found:
                if one.kind.name not in told:
                    say(warning(one))
                    told.add(one.kind.name)
            left = None if rate.silent else rate.eta_s(total - done - rate.problems)
            note = _describe(rate, time.time() - started, what) + _silence(rate) + _in_short(found)
            bar.at(done + rate.problems, note, left)


def _ready(ready: int, engines: int | None, seconds: float) -> str:
    if engines is None:
        return f"{ready} engine{'s' * (ready > 1)} ready after {clock(seconds)}"
    if ready > engines:
        return "a new engine is ready in place of one that died"
    which = "engine" if engines == 1 else f"{ready} of {engines} engines"
    return f"{which} ready after {clock(seconds)}"


def warning(found: Finding) -> str:
    """The line that tells of a finding, wherever one stands for itself."""
    return f"warning: {found.text}"


def _in_short(found: Sequence[Finding]) -> str:
    return f", warning: {'; '.join(one.short for one in found)}" if found else ""


def _describe(rate: Rate, seconds: float, what: str = "continuations") -> str:
    if not rate.engines:
        return f"the engine has been starting for {clock(seconds)}"
    if not rate.problems:
        return f"first problems under way for {clock(rate.seconds)}"
    speed = f"{rate.tokens_per_s:,.0f} tokens/s" if rate.tokens_per_s else "rate not known yet"
    return f"{rate.draws:,} {what}{judged(rate.verdicts)}, {speed}"


def _silence(rate: Rate) -> str:
    return f", no sign of life from an engine for {clock(rate.silent_s)}" if rate.silent else ""


def judged(verdicts: Counter[str]) -> str:
    """Of continuations, behind their number: ` (61% right, 30% wrong, 4% cut, 5% without an answer)`; empty without any."""
    total = sum(verdicts.values())
    if not total:
        return ""
    right, wrong, cut = verdicts["correct"], verdicts["incorrect"], verdicts["truncated"]
    # What was cut says nothing of a step: its share is there from the start, however small.
    shares = [f"{_share(right, total)} right", f"{_share(wrong, total)} wrong", f"{_share(cut, total)} cut"]
    if other := total - right - wrong - cut:
        shares.append(f"{_share(other, total)} without an answer or not judged")
    return f" ({', '.join(shares)})"


def _share(count: int, of: int) -> str:
    return "<1%" if 0 < count / of < 0.005 else f"{count / of:.0%}"
