"""Evaluates a critic on a bench: reads, scores, reports. Composes stages/evaluate.

Into the output folder go scores.jsonl (from which the report can be made again without a model), report.json, report.md
and report.png and .svg; until then, scores.part.json, from which the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline import atomic
from pipeline.command_line.answer import Answer
from pipeline.config.engine import DRAWN_WITH
from pipeline.engine.number_type import decided
from pipeline.engine.policy import model_fingerprint
from pipeline.errors import RowError, UserError
from pipeline.settings import only_if_set
from pipeline.store import one_line_io_errors
from pipeline.terminal.bar import Bar
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say
from stages.evaluate import plots, recorded, table
from stages.evaluate.about import About, as_prefixes, stated
from stages.evaluate.bench import Bench, BenchSample, read_bench
from stages.evaluate.compare import compare
from stages.evaluate.critic import Critic, Item, Judged
from stages.evaluate.open_critic import CriticConfig, open_critic, read_prompt
from stages.evaluate.paper import VISUAL_PROCESS_BENCH
from stages.evaluate.report import build, prepare
from stages.evaluate.score_log import ScoreLog
from stages.evaluate.threshold import Rule
from stages.load.sources.images import normalise

BATCH = 64
"""Samples whose images are in memory at once."""


class EvaluateSettings(CriticConfig):
    """How a critic is asked and how its numbers are made."""

    resamples: int = Field(default=1000, ge=1)
    """Bootstrap resamples of problems."""
    about: About | None = only_if_set()
    """What the bench's labels are about: each step by itself, or all up to it; null takes what the bench says of them."""


def evaluate(
    model: str,
    bench_path: str,
    rule: Rule | None,
    out: str | None,
    settings: EvaluateSettings,
    against: str | None = None,
) -> Answer:
    """Writes the report and returns it, as Markdown and as data.

    Args:
        model: a checkpoint, a hub id, or a .jsonl file of scores.
        rule: how scores become decisions; by default at the critic's middle, which recorded scores have at 0.5.
        against: a .jsonl file of another critic's scores, to report the difference from.
        out: the folder of the report; by default outputs/evaluate/<model>-on-<bench>, where recorded scores go by their folder.
    """
    if against and rule is None:
        raise UserError(
            "--against: two critics' scores may lie on two scales: add --threshold tuned, which gives each its own, "
            "or a number for both"
        )
    bench = read_bench(bench_path)
    other = recorded.read_scores(_existing(against), bench.samples) if against else None
    # Recorded scores all go by one name: their folder tells whose they are.
    name = f"{Path(model).resolve().parent.name}-{Path(model).stem}" if model.endswith(".jsonl") else Path(model).name
    folder = Path(out or Path("outputs", "evaluate", f"{name}-on-{Path(bench_path).resolve().stem}"))
    with one_line_io_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    failures: Counter[str] = Counter()
    log, middle = None, 0.5
    if model.endswith(".jsonl"):
        scores = recorded.read_scores(_existing(model), bench.samples)
    else:
        if settings.critic == "prompted":
            settings = settings.model_copy(update={"engine": decided(settings.engine)})
        log = ScoreLog(folder / "scores.part.json", _origin(model, bench, settings))
        with quiet(str(folder / "logs")):
            middle = _score(model, settings, bench, log)
        scores = [judged.scores for judged in log.judged]
        failures = sum((judged.failures for judged in log.judged), Counter())
        _write(folder / "scores.jsonl", recorded.to_lines(bench.samples, scores).encode())
    rule = rule or Rule("fixed", middle)
    if failures and not any(score is not None for of_one in scores for score in of_one):
        reasons = ", ".join(f"{count} steps {reason}" for reason, count in failures.most_common())
        raise UserError(f"{model}: gave no score ({reasons}): try another critic, prompt or max_tokens")
    say(f"making the report, with intervals from {settings.resamples:,} resamples")
    report: dict[str, Any] = {
        "model": model,
        "bench": str(bench.path),
        "settings": settings.model_dump(mode="json"),
        "rejected": dict(sorted(Counter(row.reason for row in bench.rejected).items())),
        "failures": dict(sorted(failures.items())),
        **build(bench.samples, scores, rule, settings.resamples, settings.seed),
    }
    about = settings.about or stated(bench.path)
    prefixes = _by_prefixes(bench, scores, rule, settings) if about == "step" else None
    report |= {"labels_are_about": about, "as_prefixes": prefixes}
    if other is not None:
        difference = compare(bench.samples, scores, other, rule, settings.resamples, settings.seed)
        report["against"] = {"scores": against, **difference}
    title = f"{model} on {bench.path.name}"
    text = table.render(title, report, VISUAL_PROCESS_BENCH)
    _write(folder / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    for name, data in plots.render(title, report).items():
        _write(folder / name, data)
    _write(folder / "report.md", text.encode())
    if log:
        log.remove()
    return Answer(f"{text}\nwritten to {folder}", {**report, "folder": str(folder)})


def _by_prefixes(
    bench: Bench, scores: Sequence[list[float | None]], rule: Rule, settings: EvaluateSettings
) -> dict[str, Any]:
    """The same samples at the same threshold, held against what labels of steps say about prefixes: another truth, not another
    critic."""
    ready = prepare(bench.samples, scores, rule)
    kept, own = zip(*ready.kept, strict=True)
    found = build(as_prefixes(kept), own, Rule("fixed", ready.threshold), settings.resamples, settings.seed)
    return {name: found[name] for name in ("pooled", "steps")}


def _score(model: str, settings: EvaluateSettings, bench: Bench, log: ScoreLog) -> float:
    """Brings the log to its end; returns the middle of the critic's scores."""
    say(f"evaluating {model} on {bench.path.name}: {len(bench.samples):,} solutions; loading it")
    critic = open_critic(model, settings)
    try:
        score_bench(bench, critic, log)
    except BaseException:
        # A dead engine may fail at being closed, too, which is no news.
        with suppress(Exception):
            critic.close()
        raise
    critic.close()
    return critic.middle


def score_bench(bench: Bench, critic: Critic, log: ScoreLog) -> None:
    """Scores the samples that the log lacks. What can't be read or judged has no scores, but a reason.

    Raises:
        EngineDead: the critic is gone; what it said before is in the log.
    """
    done, total = len(log.judged), len(bench.samples)
    with closing(Bar(total, "solution", "scored", done)) as bar:
        for start in range(done, total, BATCH):
            batch = bench.samples[start : start + BATCH]
            log.add(_score_batch(bench, batch, critic))
            bar.add(len(batch))


def _score_batch(bench: Bench, batch: Sequence[BenchSample], critic: Critic) -> list[Judged]:
    """Identical solutions are judged once."""
    items = [_item(bench, sample) for sample in batch]
    distinct = list(dict.fromkeys(item for item in items if isinstance(item, Item)))
    known = dict(zip(distinct, critic.score_many(distinct), strict=True))
    judged = [
        known[item]
        if isinstance(item, Item)
        else Judged([None] * len(sample.steps), Counter({item: len(sample.steps)}))
        for item, sample in zip(items, batch, strict=True)
    ]
    for one, sample in zip(judged, batch, strict=True):
        if len(one.scores) != len(sample.steps):
            raise AssertionError(f"the critic gave {len(one.scores)} scores for {len(sample.steps)} steps")
    return judged


def _item(bench: Bench, sample: BenchSample) -> Item | str:
    """What the critic sees, its images as a dataset's would be; or the reason why there is nothing to see."""
    try:
        item = bench.item(sample)
        return replace(item, images=tuple(map(normalise, item.images)))
    except RowError as error:
        return error.reason


def _origin(model: str, bench: Bench, settings: EvaluateSettings) -> str:
    """A hash of all that a critic's scores depend on, but for the bytes of images, which go by their names."""
    engine = settings.engine
    parts = [
        [model_fingerprint(engine.model_copy(update={"model": name})) for name in (model, settings.like) if name],
        engine.model_dump(include=set(DRAWN_WITH)) | {"args": engine.drawing_args},
        read_prompt(settings) if settings.critic == "prompted" else None,
        settings.model_dump(mode="json", exclude={"resamples", "about", "engine", "prompt"}),
        [asdict(sample) for sample in bench.samples],
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def _existing(path: str) -> Path:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file of scores: give a scores.jsonl")
    return Path(path)


def _write(path: Path, data: bytes) -> None:
    with one_line_io_errors(str(path)):
        atomic.write(path, data)
