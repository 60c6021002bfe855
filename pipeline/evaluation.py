"""Evaluates a critic on a bench: reads, scores, reports. Composes stages/evaluate.

Into the output folder go scores.jsonl (from which the report can be made again without a model), report.json, report.md
and report.png.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from tqdm import tqdm

from pipeline.critics import CriticConfig, open_critic
from pipeline.errors import RowError, UserError
from pipeline.paper import VISUAL_PROCESS_BENCH
from pipeline.store import one_line_io_errors
from stages.evaluate import plots, recorded, table
from stages.evaluate.bench import Bench, read_bench
from stages.evaluate.compare import compare
from stages.evaluate.critic import Critic, Item, Scores
from stages.evaluate.report import build
from stages.evaluate.threshold import Rule

BATCH = 64
"""Samples whose images are in memory at once."""


class EvaluateSettings(CriticConfig):
    """How a critic is asked and how its numbers are made."""

    resamples: int = Field(default=1000, ge=1)
    """Bootstrap resamples of problems."""


def evaluate(
    model: str,
    bench_path: str,
    rule: Rule | None,
    out: str | None,
    settings: EvaluateSettings,
    against: str | None = None,
) -> str:
    """Writes the report and returns its Markdown.

    Args:
        model: a checkpoint, a hub id, or a .jsonl file of scores.
        rule: how scores become decisions; by default at the critic's middle, which recorded scores have at 0.5.
        against: a .jsonl file of another critic's scores, to report the difference from.
        out: the folder of the report; by default outputs/evaluate/<model>-on-<bench>.
    """
    bench = read_bench(bench_path)
    folder = Path(out or Path("outputs", "evaluate", f"{Path(model).name}-on-{Path(bench_path).resolve().stem}"))
    with one_line_io_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    failures: Counter[str] = Counter()
    middle = 0.5
    if model.endswith(".jsonl"):
        scores = recorded.read_scores(_existing(model), bench.samples)
    else:
        critic = open_critic(model, settings)
        try:
            scores = score_bench(bench, critic)
        finally:
            critic.close()
        failures, middle = critic.failures, critic.middle
        _write(folder / "scores.jsonl", recorded.to_lines(bench.samples, scores).encode())
    rule = rule or Rule("fixed", middle)
    if failures and not any(score is not None for of_one in scores for score in of_one):
        reasons = ", ".join(f"{count} steps {reason}" for reason, count in failures.most_common())
        raise UserError(f"{model}: gave no score ({reasons}): try another critic, prompt or max_tokens")
    report: dict[str, Any] = {
        "model": model,
        "bench": str(bench.path),
        "settings": settings.model_dump(mode="json"),
        "rejected": dict(sorted(Counter(row.reason for row in bench.rejected).items())),
        "failures": dict(sorted(failures.items())),
        **build(bench.samples, scores, rule, settings.resamples, settings.seed),
    }
    if against:
        other = recorded.read_scores(_existing(against), bench.samples)
        difference = compare(bench.samples, scores, other, rule, settings.resamples, settings.seed)
        report["against"] = {"scores": against, **difference}
    title = f"{model} on {bench.path.name}"
    text = table.render(title, report, VISUAL_PROCESS_BENCH)
    _write(folder / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    _write(folder / "report.png", plots.render(title, report))
    _write(folder / "report.md", text.encode())
    return f"{text}\nwritten to {folder}"


def score_bench(bench: Bench, critic: Critic) -> list[Scores]:
    """The scores of every sample. What can't be read or judged has none, and counts in the critic's failures."""
    scores: list[Scores] = []
    bar = tqdm(total=len(bench.samples), unit="sample", disable=None)
    samples = iter(bench.samples)
    while batch := list(itertools.islice(samples, BATCH)):
        items: list[Item] = []
        places: list[int] = []
        found: list[Scores] = [[None] * len(sample.steps) for sample in batch]
        for place, sample in enumerate(batch):
            try:
                items.append(bench.item(sample))
                places.append(place)
            except RowError as error:
                critic.failures[error.reason] += len(sample.steps)
        for place, of_one in zip(places, _score_batch(items, critic), strict=True):
            found[place] = of_one
        scores += found
        bar.update(len(batch))
    bar.close()
    return scores


def _score_batch(items: Sequence[Item], critic: Critic) -> list[Scores]:
    """Identical solutions are judged once, unless that fails: then each counts among the critic's failures."""
    distinct = list(dict.fromkeys(items))
    known: dict[Item, Scores] = {}
    for item, scores in zip(distinct, critic.score_many(distinct), strict=True):
        if len(scores) != len(item.steps):
            raise AssertionError(f"the critic gave {len(scores)} scores for {len(item.steps)} steps")
        known[item] = scores
    copies = Counter(items) - Counter(distinct)
    if again := [item for item in copies.elements() if None in known[item]]:
        critic.score_many(again)
    return [known[item] for item in items]


def _existing(path: str) -> Path:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file of scores")
    return Path(path)


def _write(path: Path, data: bytes) -> None:
    with one_line_io_errors(str(path)):
        path.write_bytes(data)
