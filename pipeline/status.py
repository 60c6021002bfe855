"""`visualprm status`: how far a run is, from its files alone, while it runs or after it died."""

from __future__ import annotations

from pipeline.errors import UserError
from pipeline.progress import clock, current_rate, describe_engines, engine_lines
from pipeline.store import Store


def status_text(run: str) -> str:
    """Problems done, pending and quarantined; draws, tokens, rate and time left.

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
    rate = current_rate(store)
    lines = [
        ("problems done", f"{len(problems) - pending:,} of {len(problems):,}"),
        ("pending", f"{pending:,}"),
        (
            "quarantined",
            f"{sum(rejected.values()):,}" + "".join(f", {n} {why}" for why, n in sorted(rejected.items())),
        ),
        ("draws", f"{store.total('num_draws'):,}"),
        ("tokens", f"{store.total('num_tokens'):,}"),
    ]
    failed = sum(error is not None for error in store.column(store.ledger_files(), "error").to_pylist())
    lines.append(("failed", f"{failed:,}"))
    if rate.tokens_per_s and pending:
        lines.append(("rate", f"{rate.tokens_per_s:,.0f} tokens/s"))
        if engines := describe_engines(rate):
            lines.append((f"{len(rate.engines)} engines" if len(rate.engines) > 1 else "engine", engines))
        if (left := rate.eta_s(pending)) is not None:
            lines.append(("time left", clock(left)))
    elif pending:
        lines.append(("rate", "no engine is running; the same dataset command goes on"))
    if pending:
        lines += engine_lines(rate)
    return "\n".join(f"{name:>14}  {value}" for name, value in lines)
