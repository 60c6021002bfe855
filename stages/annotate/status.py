"""`visualprm status`: how far a run is, from its files alone, while it runs or after it died."""

from __future__ import annotations

import time

import pyarrow.compute as pc

from pipeline import origin
from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.annotate.ledger_tally import ledger_tally
from stages.annotate.plausible import find
from stages.annotate.progress import Rate, clock, current_rate, describe_engines, engine_lines, last_rate
from stages.annotate.times import whole

Line = tuple[str, str]
"""What a line is about, and what it says."""


def status_text(run: str) -> str:
    """Problems done, pending and quarantined; draws, tokens, rate and time left; what cannot be right in the ledger.

    Raises:
        UserError: no run is there.
    """
    store = Store(run)
    if not store.exists("ledger.json"):
        raise UserError(f"{run}: no run is here; `visualprm dataset CONFIG` makes one")
    if not store.exists("problems.json"):
        return f"{run}: reading the sources"
    rejected = store.read_json("problems.json")["rejected"]
    problems, done = store.problem_ids(), store.done_ids()
    pending = len(problems - done)
    ledger, rate = store.ledger("num_draws", "num_tokens", "error"), current_rate(store)
    lines = [
        ("problems done", f"{len(problems) - pending:,} of {len(problems):,}"),
        ("pending", f"{pending:,}"),
        (
            "quarantined",
            f"{sum(rejected.values()):,}" + "".join(f", {n} {why}" for why, n in sorted(rejected.items())),
        ),
        ("draws", f"{pc.sum(ledger['num_draws']).as_py() or 0:,}"),
        ("tokens", f"{pc.sum(ledger['num_tokens']).as_py() or 0:,}"),
        ("failed", f"{len(ledger) - ledger['error'].null_count:,}"),
    ]
    if pending and rate.engines:
        lines += _speed(rate, pending)
    elif pending:
        driver = store.driver()
        lines += _silent(store, driver) if driver else _last_speed(store, pending)
    if not pending or not rate.engines:
        lines += whole(store)
    lines += _warnings(store)
    return "\n".join(f"{name:>14}  {value}" for name, value in lines)


def _warnings(store: Store) -> list[Line]:
    settings = origin.noted(store, "config.yaml", "restore this file") or {}
    label = parse_settings(LabelConfig, settings.get("label") or {}, origin=store.uri)
    tally, every = ledger_tally(store, label)
    part = f" (counted in one of {every} files of the ledger)" if every > 1 else ""
    return [("warning", found.text + part) for found in find(tally)]


def _speed(rate: Rate, pending: int) -> list[Line]:
    """Of the engines that run now."""
    if not rate.tokens_per_s:
        return [("rate", "engine starting or first problems under way")]
    lines = [("rate", f"{rate.tokens_per_s:,.0f} tokens/s")]
    if engines := describe_engines(rate):
        lines.append((f"{len(rate.engines)} engines" if len(rate.engines) > 1 else "engine", engines))
    if (left := rate.eta_s(pending)) is not None:
        lines.append(("time left", clock(left)))
    return lines + engine_lines(rate)


def _silent(store: Store, driver: str) -> list[Line]:
    """Of a driver that has the lock, and no engine that gives a sign of life."""
    _, end = last_rate(store)
    if not end:
        return [("rate", f"engine starting ({driver})")]
    return [
        ("rate", f"no sign of life from an engine for {clock(time.time() - end)}"),
        ("driver", f"{driver} still works on this run: it ends engines that hang (engine.timeout_s)"),
    ]


def _last_speed(store: Store, pending: int) -> list[Line]:
    """Of the engines that ran last, if they got anywhere."""
    rate, end = last_rate(store)
    lines = [("rate", "no engine is running; the same dataset command resumes")]
    if rate.tokens_per_s:
        lines.append(("last rate", f"{rate.tokens_per_s:,.0f} tokens/s, until {clock(time.time() - end)} ago"))
    if (left := rate.eta_s(pending)) is not None:
        lines.append(("time left", f"{clock(left)} at the last rate"))
    return lines
