"""From published shards to prepared samples: rendered, with their targets, split by problem, every image checked.

Shards are read a row group at a time. What comes out lies under the run directory, named by a hash of everything it
depends on, and is reused by the next call.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline import atomic, manifest, origin
from pipeline.atomic import Sum
from pipeline.errors import RowError, UserError
from pipeline.inputs import located
from pipeline.records import problem_of
from pipeline.store import one_line_io_errors, open_uri
from pipeline.terminal.speak import error_stream, say
from stages.publish.drawn import biased_by
from stages.publish.kept import kept_of
from stages.publish.reading import read_figures
from stages.publish.whole import check_dataset
from stages.reward.render import Layout, image_token_id, leading, render
from stages.train import targets
from stages.train.config import TrainConfig
from stages.train.labels import Labels, labels_of
from stages.train.lengths import Limit, fit, image_lengths, image_size
from stages.train.samples import UNMEASURED, Sample, Samples, SampleWriter, merged
from stages.train.shards import COLUMNS, EXTRA, LIGHT, find_shards, fingerprint, in_order, problems
from stages.train.targets import LABELS, Target

TRAIN, HELD_OUT = "train", "held_out"
_FORMAT = 3
"""Of the prepared files; part of their name."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a training reads: samples of both parts, and what was counted on the way.

    `class_weights` has an entry a label. `scale` makes the mean weight of a training step 1.
    """

    folder: Path
    train: Samples
    held_out: Samples
    facts: Mapping[str, Any]

    @property
    def class_weights(self) -> list[float]:
        weights: list[float] = self.facts["class_weights"]
        return weights

    @property
    def scale(self) -> float:
        return float(self.facts["scale"])

    @property
    def system(self) -> str | None:
        """The system turn of most training samples; null for the template's own."""
        system: str | None = self.facts["system"]
        return system

    @property
    def fingerprint(self) -> str:
        return str(self.facts["fingerprint"])


def is_held_out(problem_id: str, share: float, seed: int) -> bool:
    """Is this problem, with all of its solutions, kept for evaluation? Follows from its id alone."""
    return _uniform(f"held out {seed} {problem_id}") < share


def read_labels(config: TrainConfig) -> Labels:
    """The labels that a training learns.

    Raises:
        UserError: the shards can't be used, or their draws can't answer for such targets.
    """
    place = located(config.data.path, config.data.folders)
    check_dataset(place)
    shards = find_shards(config.data.path, config.data.folders)
    figures = read_figures(*open_uri(place))
    _check_strategies(config, figures)
    return labels_of(config, shards, figures)


def prepare(
    config: TrainConfig, processor: Any, layout: Layout, labels: Labels | None = None, context: int | None = None
) -> Prepared:
    """The prepared samples of a training, made now or found from an earlier call.

    Args:
        labels: what `read_labels` gave, if it was called before.
        context: the most tokens that the model reads, if that is known: a longer conversation is cut, or left out.

    Raises:
        UserError: the shards can't be used, or nothing is left to train on.
    """
    labels = labels or read_labels(config)
    shards = find_shards(config.data.path, config.data.folders)
    data = fingerprint(shards)
    # Before rows that lie apart were gathered, samples were made of them that are not these.
    gathered = not in_order(shards)
    more = ["gathered"] if gathered else []
    parts = _parts(config, data, processor, layout, labels)
    folder = _folder(config, [*parts, *more])
    limit = Limit(config.data.max_tokens, "data.max_tokens")
    if context is not None and context < limit.tokens:
        limit = Limit(context, "the model's context")
        bounded = _folder(config, [*parts, *more, f"context {context}"])
        # Samples from before the context was looked at are the same ones where none of them is longer. Those that were
        # made with it come first: a training finds the same samples again, whatever else lies there.
        older = not bounded.exists() and _is_whole(folder) and _fits(load_prepared(folder), context)
        folder = folder if older else bounded
    whole = _is_whole(folder)
    if not whole:
        with one_line_io_errors(config.run_dir), atomic.new_folder(folder) as staging:
            counted, sums = _write(config, shards, processor, layout, labels, limit, Path(staging))
            atomic.write(f"{staging}/facts.json", json.dumps({"fingerprint": data, **counted}, indent=1))
            manifest.save_of(staging, known=sums)
            if fingerprint(shards) != data:
                raise UserError(
                    f"data.path: {config.data.path} was published again while it was read: run the same command again"
                )
    return load_prepared(folder)


def _is_whole(folder: Path) -> bool:
    """Whether samples are there, and what was written. Those of before there were manifests pass."""
    if not folder.exists():
        return False
    if found := manifest.folder_faults(str(folder)):
        say(f"{folder}: {manifest.told(found)}: prepared again")
    return not found


def _folder(config: TrainConfig, parts: Sequence[Any]) -> Path:
    return Path(config.run_dir) / f"samples-{origin.digest(list(parts))[:12]}"


def _fits(prepared: Prepared, context: int) -> bool:
    return all(int(part.lengths.max(initial=0)) <= context for part in (prepared.train, prepared.held_out))


def _check_strategies(config: TrainConfig, figures: Mapping[str, Any]) -> None:
    """Refuses targets that need unbiased shares of draws that stopped at a success.

    Counts are no such target: the likelihood of k of n is the same whatever made the drawing stop.
    """
    target = config.target
    if biased := biased_by(figures):
        what = f"target.threshold={target.threshold:g}" if target.threshold else f"target.kind={target.kind}"
        if target.threshold or target.kind in ("soft", "advantage"):
            raise UserError(
                f"{what}: {config.data.path} was drawn with {biased}: set target.kind=value without "
                "target.threshold, or target.kind=counts"
            )


def load_prepared(folder: Path) -> Prepared:
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return Prepared(folder, Samples(folder, TRAIN), Samples(folder, HELD_OUT), facts)


def _parts(config: TrainConfig, data: str, processor: Any, layout: Layout, labels: Labels) -> list[Any]:
    """What samples depend on; part of their folder's name."""
    tokenizer = hashlib.sha256(processor.tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    # The labels' own threshold, so that settings which mean the same labels find the same samples.
    target = {**config.target.model_dump(), "threshold": labels.threshold}
    return [
        _FORMAT, data, repr(layout), tokenizer, processor.chat_template, processor.image_processor.to_json_string(),
        config.data.model_dump(exclude={"path"}), target, config.loss.model_dump(), config.seed,
    ]  # fmt: skip


def _write(
    config: TrainConfig,
    shards: Sequence[Path],
    processor: Any,
    layout: Layout,
    labels: Labels,
    limit: Limit,
    folder: Path,
) -> tuple[dict[str, Any], dict[str, Sum]]:
    """Writes both parts; returns what was counted, and the sums of the files."""
    kept = _selection(config, shards, labels, folder)
    make = partial(_sample, config=config, processor=processor, layout=layout, limit=limit)
    left_out: Counter[str] = Counter()
    counts = {part: Counter[str]() for part in (TRAIN, HELD_OUT)}
    classes = [0] * len(layout.labels)
    weight = [0.0] * len(layout.labels)
    slots = 0
    systems: Counter[str | None] = Counter()
    examples: dict[str, str] = {}
    writer = SampleWriter(folder, [TRAIN, HELD_OUT])
    out = error_stream()
    say("preparing samples")
    try:
        with ThreadPoolExecutor() as pool:
            found = problems(shards, [*COLUMNS, EXTRA], folder)
            for rows in tqdm(found, desc="preparing", unit="problem", file=out, disable=not out.isatty(), leave=False):
                problem = [labels.row(row) for row in rows]
                held_out = is_held_out(_problem_id(problem[0]), config.data.held_out, config.seed)
                part = HELD_OUT if held_out else TRAIN
                chosen = problem if held_out or kept is None else [row for row in problem if row["id"] in kept]
                left_out["not_selected"] += len(problem) - len(chosen)
                before = targets.solved_share(problem)
                samples: list[Sample] = []
                for row, made in zip(chosen, pool.map(partial(_try, make, before=before), chosen), strict=True):
                    if isinstance(made, RowError):
                        left_out[made.reason] += 1
                        examples.setdefault(made.reason, f"{row['id']}: {made.detail}")
                        continue
                    sample, dropped = made
                    left_out["steps_too_long"] += dropped
                    counts[part].update(samples=1, steps=len(sample.slots), tokens=sample.length)
                    samples.append(sample)
                    if part == TRAIN:
                        systems[_own_layout(row, layout).system] += 1
                        for label, step_weight in zip(sample.labels, sample.weights, strict=True):
                            if label != UNMEASURED:
                                classes[label] += 1
                                weight[label] += step_weight
                # What is evaluated stays as it is: a metric counts every solution.
                for sample in merged(samples) if part == TRAIN else samples:
                    counts[part]["distinct"] += 1
                    slots += sum(label != UNMEASURED for label in sample.labels) if part == TRAIN else 0
                    writer.add(part, sample)
    finally:
        writer.close()
    if not counts[TRAIN]["samples"]:
        why = "; ".join(f"{reason} ({example})" for reason, example in examples.items())
        raise UserError(f"data.path: {config.data.path} leaves no sample to train on: {why or 'all were filtered out'}")
    class_weights = targets.class_weights(classes, config.loss.class_weights, layout.labels)
    total = sum(each * share for each, share in zip(class_weights, weight, strict=True))
    counted = {
        "max_tokens": limit.tokens,
        "counts": counts,
        "left_out": +left_out,
        "examples": examples,
        "labels": dict(zip(layout.labels, classes, strict=True)),
        "class_weights": class_weights,
        "scale": slots / total,
        "system": systems.most_common(1)[0][0],
        "system_turns": [count for _, count in systems.most_common()],
    }
    return counted, writer.sums


def _own_layout(row: Mapping[str, Any], layout: Layout) -> Layout:
    """The layout with the system turn that an imported row brought along, if it did."""
    kept = kept_of(row)
    return layout if kept is None or kept.system is None else replace(layout, system=kept.system)


def _sample(
    row: Mapping[str, Any], before: float | None, config: TrainConfig, processor: Any, layout: Layout, limit: Limit
) -> tuple[Sample, int]:
    """A row as a sample, and how many of its steps didn't fit.

    Raises:
        RowError: it can't be used.
    """
    texts, goals = _steps_and_targets(row, before, config)
    images = [image["bytes"] for image in row["images"]]
    sizes = [image_size(data) for data in images]
    # Of the whole solution, as it will be scored: where labels aren't written, the text after a step tells where it ends.
    rendering = render(processor, row["question"], len(images), texts, _own_layout(row, layout))
    lengths = image_lengths(processor, sizes)
    fitted = fit(rendering, lengths, limit, image_token_id(processor))
    wanted = len(goals)
    goals = targets.trimmed(goals[: len(fitted.slots)])
    if not goals:
        raise RowError("no_measured_step", f"no step within {limit} has a score")
    fitted = leading(rendering, len(goals))
    measured = sum(goal is not None for goal in goals)
    weight = targets.step_weight(measured, config.loss.reduction)
    size = len(layout.labels)
    sample = Sample(
        id=row["id"],
        token_ids=fitted.token_ids,
        slots=fitted.slots,
        length=len(fitted.token_ids) + sum(lengths) - len(lengths),
        images=images,
        labels=[UNMEASURED if goal is None else goal.label for goal in goals],
        mass=[(0.0,) * size if goal is None else goal.mass for goal in goals],
        weights=[0.0 if goal is None else weight for goal in goals],
    )
    return sample, wanted - len(goals)


def _steps_and_targets(
    row: Mapping[str, Any], before: float | None, config: TrainConfig
) -> tuple[list[str], list[Target | None]]:
    target = config.target
    if not row["steps_with_score"]:
        raise RowError("no_step", "the solution has no step")
    if target.kind == "outcome":
        goals: list[Target | None] = [targets.outcome_target(row)]
        texts = [row["response"]]
    else:
        goals = targets.step_targets(row["steps_with_score"], target.kind, target.tolerance, before)
        texts = [step["step"] for step in row["steps_with_score"]]
    if target.stop_at_first_error:
        goals = targets.stop_at_first_error(goals, len(LABELS[target.kind]))
    goals = targets.trimmed(goals)
    if not goals:
        raise RowError("no_measured_step", "no step has a score")
    return texts, goals


def _try(make: Any, row: Mapping[str, Any], before: float | None) -> Any:
    try:
        return make(row, before)
    except RowError as error:
        return error


def _selection(config: TrainConfig, shards: Sequence[Path], labels: Labels, folder: Path) -> set[str] | None:
    """The ids of the training solutions that are kept; None for all."""
    data = config.data
    if data.keep == 1 and not data.drop_all_right:
        return None
    ranked: dict[str, list[tuple[float, str]]] = {}
    for rows in problems(shards, LIGHT, folder):
        problem = [labels.row(row) for row in rows]
        problem_id = _problem_id(problem[0])
        if is_held_out(problem_id, data.held_out, config.seed):
            continue
        if data.drop_all_right and targets.all_right(
            targets.step_targets(row["steps_with_score"], "value") for row in problem
        ):
            continue
        for row in problem:
            informative = targets.selection_score(row["steps_with_score"], data.select_alpha)
            score = informative if data.select == "informative" else _uniform(f"keep {config.seed} {problem_id}")
            if score is not None:
                ranked.setdefault(row["source"], []).append((-score, row["id"]))
    return {
        name for found in ranked.values() for _, name in sorted(found)[: max(1, round(data.keep * len(found)))]
    }  # fmt: skip


def _problem_id(row: Mapping[str, Any]) -> str:
    return problem_of(row["id"])


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
