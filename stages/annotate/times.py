"""How long a run has annotated, over all calls of its command: from the counters of each call's engines.

`progress/` holds those of the last call; what the calls before took is kept in `times.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import origin
from pipeline.store import Store
from pipeline.terminal.bar import clock

FILE = "times.json"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the command: its engines' first and last sign of life (Unix seconds), and the tokens they generated.

    `asked_tokens` and `written_tokens` are what servers count as used, of prompts and of answers.
    """

    started: float
    ended: float
    tokens: int
    asked_tokens: int = 0
    written_tokens: int = 0

    @property
    def seconds(self) -> float:
        return self.ended - self.started


def call_of(counters: Sequence[Mapping[str, Any]]) -> Call | None:
    """What the engines of a call amount to, those that died included; None if no engine came up."""
    if not counters:
        return None
    started = min(one["started"] for one in counters)
    ended, tokens = max(one["updated"] for one in counters), sum(one["tokens"] for one in counters)
    asked, written = (sum(one["engine"].get(key, 0) for one in counters) for key in ("asked_tokens", "written_tokens"))
    return Call(started, ended, tokens, asked, written)


def calls(store: Store) -> list[Call]:
    """All calls that had an engine, as far as they are recorded."""
    noted = origin.noted(store, FILE, "remove it: nothing but status reads it") or {}
    kept = [Call(**one) for one in noted.get("calls", ())]
    last = call_of(store.progress())
    return [*kept, last] if last and last not in kept else kept


def keep_times(store: Store) -> None:
    """Before the counters of an earlier call are cleared."""
    if found := calls(store):
        store.write_json(FILE, {"calls": [asdict(one) for one in found]})


def seconds(found: Iterable[Call]) -> float:
    """Of all of them together."""
    return sum(one.seconds for one in found)


def rate(found: Sequence[Call]) -> float | None:
    """Tokens per second over all of them; None if that was not measured."""
    took = seconds(found)
    return sum(one.tokens for one in found) / took if took > 0 else None


def whole(store: Store) -> list[tuple[str, str]]:
    """What `visualprm status` says of a run that no engine works on: rate and time over all calls."""
    found = calls(store)
    speed = rate(found)
    over = f", in {len(found)} calls of the command" if len(found) > 1 else ""
    return [
        ("rate in all", "not measured" if speed is None else f"{speed:,.0f} tokens/s"),
        ("time in all", f"{clock(seconds(found))} with engines running{over}" if found else "not measured"),
    ]
