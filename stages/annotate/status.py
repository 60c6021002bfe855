"""`visualprm status`: how far a run is, from its files alone, while it runs or after it died."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow.compute as pc

from pipeline import manifest, origin
from pipeline.command_line.answer import Answer
from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.annotate.damage import damage_named, find_damage
from stages.annotate.ledger_tally import ledger_tally
from stages.annotate.plausible import find
from stages.annotate.progress import Rate, clock, current_rate, describe_engines, engine_lines, last_rate
from stages.annotate.times import whole

Line = tuple[str, str]
"""What a line is about, and what it says."""
State = Literal["reading", "running", "silent", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of a run whose problems are known."""

    problems: int
    pending: int
    quarantined: dict[str, int]
    """Rows by the reason why they are not used."""
    draws: int
    tokens: int
    failed: int


@dataclass(frozen=True, slots=True)
class _Speed:
    """Of the engines that run, or of those that ran last."""

    rate: Rate
    ended: float | None
    """When the last of them was heard of (Unix seconds); None while they run."""

    def left_s(self, pending: int) -> float | None:
        return self.rate.eta_s(pending) if pending else None


def status_of(run: str) -> Answer:
    """Problems done, pending and quarantined; draws, tokens, rate and time left; what cannot be right in the ledger.

    Raises:
        UserError: no run is there.
    """
    store = Store(run)
    if not store.exists("ledger.json"):
        raise UserError(f"{run}: no run is here; `visualprm dataset CONFIG` makes one")
    if not store.exists("problems.json"):
        return Answer(f"{run}: reading the sources", _data(run, "reading", None, None, []))
    with damage_named(store):
        return _read(store, run)


def _read(store: Store, run: str) -> Answer:
    problems = store.problem_ids()
    ledger = store.ledger("num_draws", "num_tokens", "error")
    counts = _Counts(
        len(problems),
        len(problems - store.done_ids()),
        store.read_json("problems.json")["rejected"],
        pc.sum(ledger["num_draws"]).as_py() or 0,
        pc.sum(ledger["num_tokens"]).as_py() or 0,
        len(ledger) - ledger["error"].null_count,
    )
    rate = current_rate(store) if counts.pending else None
    speed = _Speed(rate, None) if rate and rate.engines else _Speed(*last_rate(store))
    driver = store.driver() if counts.pending and speed.ended is not None else None
    state: State = (
        "done" if not counts.pending else "running" if speed.ended is None else "silent" if driver else "stopped"
    )
    warnings, cut = _answers(store)
    # Twice: a file may have been replaced, and its sum with it, between the two looks.
    if find_damage(store) and (found := find_damage(store)):
        warnings.append(f"{manifest.told(found)}: the same dataset command mends what can be mended")
    lines = [
        *_count_lines(counts),
        *cut,
        *(_silent(driver, speed) if driver else _speed_lines(state, speed, counts.pending)),
    ]
    if state != "running":
        lines += whole(store)
    lines += [("warning", text) for text in warnings]
    return Answer(
        "\n".join(f"{name:>14}  {value}" for name, value in lines), _data(run, state, counts, speed, warnings)
    )


def _data(run: str, state: State, counts: _Counts | None, speed: _Speed | None, warnings: list[str]) -> dict[str, Any]:
    """The object of `--json`; docs/command_line.md says what the keys mean."""
    numbers = asdict(counts) if counts else dict.fromkeys(_Counts.__dataclass_fields__)
    known = speed.rate if speed and speed.rate.engines else None
    return {
        "run": run,
        "state": state,
        **numbers,
        "done": counts.problems - counts.pending if counts else None,
        "tokens_per_s": known.tokens_per_s if known else None,
        "engines": len(known.engines) if known else None,
        "engine_s": known.seconds if known else None,
        "left_s": speed.left_s(counts.pending) if speed and counts else None,
        "warnings": warnings,
    }


def _count_lines(counts: _Counts) -> list[Line]:
    reasons = "".join(f", {n} {why}" for why, n in sorted(counts.quarantined.items()))
    return [
        ("problems done", f"{counts.problems - counts.pending:,} of {counts.problems:,}"),
        ("pending", f"{counts.pending:,}"),
        ("quarantined", f"{sum(counts.quarantined.values()):,}{reasons}"),
        ("draws", f"{counts.draws:,}"),
        ("tokens", f"{counts.tokens:,}"),
        ("failed", f"{counts.failed:,}"),
    ]


def _answers(store: Store) -> tuple[list[str], list[Line]]:
    """What cannot be right in the ledger, and the share of draws that say nothing because they were cut."""
    settings = origin.noted(store, "config.yaml", "restore this file") or {}
    label = parse_settings(LabelConfig, settings.get("label") or {}, origin=store.uri)
    tally, every = ledger_tally(store, label)
    part = f" (counted in one of {every} files of the ledger)" if every > 1 else ""
    draws = tally.total().draws
    share = (
        f"{draws['truncated']:,} of {draws.total():,} draws ({draws['truncated'] / draws.total():.1%}){part}"
        if draws
        else ""
    )
    return [found.text + part for found in find(tally)], [("cut", share)] if share else []


def _speed_lines(state: State, speed: _Speed, pending: int) -> list[Line]:
    if state == "running":
        return _current(speed.rate, pending)
    if state == "done":
        # Its rate over all calls is told with their time (`times.whole`).
        return []
    lines = [("rate", "no engine is running; the same dataset command resumes")]
    if speed.rate.tokens_per_s and speed.ended is not None:
        ago = clock(time.time() - speed.ended)
        lines.append(("last rate", f"{speed.rate.tokens_per_s:,.0f} tokens/s, until {ago} ago"))
    if (left := speed.left_s(pending)) is not None:
        lines.append(("time left", f"{clock(left)} at the last rate"))
    return lines


def _current(rate: Rate, pending: int) -> list[Line]:
    """Of the engines that run now."""
    if not rate.tokens_per_s:
        return [("rate", "engine starting or first problems under way")]
    lines = [("rate", f"{rate.tokens_per_s:,.0f} tokens/s")]
    if engines := describe_engines(rate):
        lines.append((f"{len(rate.engines)} engines" if len(rate.engines) > 1 else "engine", engines))
    if (left := rate.eta_s(pending)) is not None:
        lines.append(("time left", clock(left)))
    return lines + engine_lines(rate)


def _silent(driver: str, speed: _Speed) -> list[Line]:
    """Of a driver that has the lock, and no engine that gives a sign of life."""
    if not speed.ended:
        return [("rate", f"engine starting ({driver})")]
    return [
        ("rate", f"no sign of life from an engine for {clock(time.time() - speed.ended)}"),
        ("driver", f"{driver} still works on this run: it ends engines that hang (engine.timeout_s)"),
    ]
