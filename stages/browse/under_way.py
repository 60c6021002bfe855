"""What is going on: a run's progress, a training's curves, and what cannot be right in a collection's numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from markupsafe import Markup

from pipeline import origin
from pipeline.config import LabelConfig
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.annotate.ledger_tally import ledger_tally
from stages.annotate.plausible import find, of_statistics
from stages.annotate.status import status_of
from stages.browse import pages
from stages.browse.places import Opened
from stages.browse.runs import RunLedger
from stages.label import of_draws

_LATEST = 8
_STATE = "trainer_state.json"
_CURVES = (
    ("loss", "Loss of training", ("loss",)),
    ("held out", "Held-out macro-F1 and AUC", ("eval_macro_f1", "eval_auc")),
)
_MEANT = {
    "pending": "problems without solutions yet",
    "quarantined": "rows of the sources that are not used",
    "failed": "problems that ended in an error",
    "cut": "reached the limit of tokens before an answer",
}
"""What lines of `visualprm status` mean, for those who have not read its page."""
Point = tuple[float, float]


def told(opened: Opened) -> tuple[list[str], list[tuple[str, str]]]:
    """The warnings that the card of a dataset, or the status of a run, gives; and what `stats.json` counts beside the table."""
    collection = opened.collection
    if isinstance(collection, RunLedger):
        tally, _ = ledger_tally(collection.store, _label(collection.store))
        return [found.text for found in find(tally)], []
    figures = collection.figures()
    if not figures:
        return [], []
    warnings = [found.text for found in find(of_statistics(figures))] if "sources" in figures else []
    total = figures.get("total", {})
    facts = [(name, f"{total[name]:,}") for name in ("tokens", "pending", "contaminated") if total.get(name)]
    for key, title in (("draws", "draws"), ("origins", "labels by"), ("quarantined", "left out")):
        counts = {name: count for name, count in (total.get(key) or {}).items() if count}
        if counts:
            facts.append((title, ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())))
    return warnings, facts


def run_html(opened: Opened, at: str) -> Markup:
    """What `visualprm status` says of a run, shares of its draws, and the problems that were finished last.

    Args:
        opened: a run.
        at: the address of its list.
    """
    assert isinstance(opened.collection, RunLedger)
    store = opened.collection.store
    told = (line.strip().partition("  ") for line in status_of(store.uri).text.splitlines())
    lines = [(name.strip(), text.strip()) for name, _, text in told]
    lines += _draw_shares(store, tuple(store.ledger_files()))
    share = _share(dict(lines).get("problems done", ""))
    # The list holds what was done when the server began; only that has a page.
    latest = [
        (problem, text, at if opened.index.problem_number(problem) is not None else None)
        for problem, text in _latest(store)
    ]
    return Markup(pages.render("progress_part.html", share=share, lines=lines, meant=_MEANT, curves=[], latest=latest))


@lru_cache(maxsize=4)
def _draw_shares(store: Store, files: tuple[str, ...]) -> list[tuple[str, str]]:
    """Of each verdict but right and wrong, in this state of the ledger: counted again when it has grown."""
    draws = ledger_tally(store, _label(store))[0].total().draws
    unusual = [name for name in draws if name not in ("correct", "incorrect")]
    return [(f"draws: {name.replace('_', ' ')}", f"{draws[name] / draws.total():.1%}") for name in sorted(unusual)]


def _label(store: Store) -> LabelConfig:
    settings = origin.noted(store, "config.yaml", "restore this file") or {}
    return of_draws(parse_settings(LabelConfig, settings.get("label") or {}, origin=store.uri))


def training_html(folder: Path) -> Markup:
    """Loss and held-out figures of a training from its newest state; what its card measured where it has ended."""
    state = newest_state(folder)
    history = state.get("log_history", [])
    lines: list[tuple[str, str]] = []
    if state:
        lines.append(("step", f"{state.get('global_step', 0):,} of {state.get('max_steps', 0):,}"))
    last: dict[str, float] = {}
    for entry in history:
        last |= {key: value for key, value in entry.items() if isinstance(value, (int, float))}
    lines += [
        (key.replace("_", " "), f"{last[key]:.4f}")
        for key in ("loss", "eval_loss", "eval_macro_f1", "eval_auc")
        if key in last
    ]
    lines = lines or [("", "no step has been written yet")]
    share = state["global_step"] / state["max_steps"] if state.get("max_steps") else None
    curves = [made for _, title, keys in _CURVES if (made := curve_svg(title, series(history, keys)))]
    return Markup(pages.render("progress_part.html", share=share, lines=lines, meant={}, curves=curves, latest=[]))


def newest_state(folder: Path) -> Mapping[str, Any]:
    """What the trainer wrote last below a folder; empty where it has written nothing that can be read."""
    found = sorted(folder.glob(f"**/{_STATE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        try:
            state: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # It is being written now: the one before is whole.
            continue
        return state
    return {}


def series(history: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, list[Point]]:
    """(step, value) of each of these keys that was logged."""
    found = {
        key: [(float(entry["step"]), float(entry[key])) for entry in history if key in entry and "step" in entry]
        for key in keys
    }
    return {key: points for key, points in found.items() if points}


def curve_svg(title: str, lines: Mapping[str, Sequence[Point]]) -> Markup | None:
    """Lines over the steps, named at their ends; None without points."""
    if not lines:
        return None
    points = [point for line in lines.values() for point in line]
    right, low, high = max(x for x, _ in points) or 1, min(y for _, y in points), max(y for _, y in points)
    spread = (high - low) or 1
    drawn = []
    for number, (name, line) in enumerate(lines.items()):
        at = [(10 + 300 * x / right, 140 - 120 * (y - low) / spread) for x, y in line]
        kind = "line" + (" second" if number else "")
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        text = f"{name.removeprefix('eval_').replace('_', ' ')} {line[-1][1]:.3f}"
        drawn.append(Markup('<polyline class="{}" points="{}"/><text class="value" x="{:.1f}" y="{:.1f}">{}</text>').format(
            kind, path, at[-1][0] + 5, at[-1][1] + 4, text))  # fmt: skip
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption><svg viewBox="0 0 420 165" role="img" aria-label="{}">'
        '<line class="axis" x1="10" y1="146" x2="310" y2="146"/>{}'
        '<text class="name" x="310" y="161" text-anchor="end">step {:,.0f}</text></svg></figure>'
    ).format(title, title, Markup("").join(drawn), right)


def _latest(store: Store) -> list[tuple[str, str]]:
    """The problems of the ledger's newest files: their ids and how their solutions ended."""
    infos = store.filesystem.get_file_info(store.ledger_files())
    found: list[tuple[str, str]] = []
    for info in sorted(infos, key=lambda one: one.mtime_ns or 0, reverse=True):
        columns = ["problem_id", "error", "solutions.list.element.verdict.status"]
        with pq.ParquetFile(info.path, filesystem=store.filesystem) as file:
            rows = file.read(columns=columns, use_threads=False).to_pylist()
        for row in rows:
            ends = [solution["verdict"]["status"] for solution in row["solutions"] or ()]
            told = row["error"] or f"{ends.count('correct')} of {len(ends)} solutions right"
            found.append((row["problem_id"], told))
        if len(found) >= _LATEST:
            break
    return found[:_LATEST]


def _share(text: str) -> float | None:
    """Of `12 of 96`."""
    try:
        done, whole = (int(part.replace(",", "")) for part in text.split(" of "))
    except ValueError:
        return None
    return done / whole if whole else None
