"""From published shards to prepared samples: rendered, with their targets, split by problem, every image checked.

Shards are read a row group at a time. What comes out lies under the run directory, named by a hash of everything it
depends on, and is reused by the next call.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline import atomic, manifest, origin
from pipeline.atomic import Sum
from pipeline.config import SplitConfig
from pipeline.errors import RowError, UserError
from pipeline.inputs import located
from pipeline.records import problem_of
from pipeline.store import one_line_io_errors, open_uri
from pipeline.store.dataset_files import check_dataset, read_figures
from pipeline.terminal.speak import error_stream, say
from stages.publish.drawn import biased_by
from stages.publish.reading import stated_split
from stages.reward.render import Layout
from stages.train import targets
from stages.train.config import TrainConfig
from stages.train.counts import Counts
from stages.train.from_row import own_layout, sample_of
from stages.train.labels import Labels, labels_of
from stages.train.lengths import Limit
from stages.train.samples import HELD_OUT, TRAIN, Sample, Samples, SampleWriter, merged
from stages.train.selection import is_held_out, selected
from stages.train.shards import COLUMNS, EXTRA, find_shards, fingerprint, in_order, problems

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
    def split(self) -> SplitConfig | None:
        """How the dataset's solutions were cut into steps; null where it does not say."""
        found = self.facts.get("split")
        return None if found is None else SplitConfig.model_validate(found)

    @property
    def fingerprint(self) -> str:
        return str(self.facts["fingerprint"])


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
    # What the dataset says of its labels and steps beside the shards, as far as samples heed it.
    stated = {"split": _split(config), **({"rule": labels.rule} if labels.threshold is None else {})}
    parts = _parts(config, data, processor, layout, labels)
    folder = _folder(config, [*parts, *more], stated)
    limit = Limit(config.data.max_tokens, "data.max_tokens")
    if context is not None and context < limit.tokens:
        limit = Limit(context, "the model's context")
        bounded = _folder(config, [*parts, *more, f"context {context}"], stated)
        # Samples from before the context was looked at are the same ones where none of them is longer. Those that were
        # made with it come first: a training finds the same samples again, whatever else lies there.
        older = not bounded.exists() and _is_whole(folder) and _fits(load_prepared(folder), context)
        folder = folder if older else bounded
    whole = _is_whole(folder)
    if not whole:
        with one_line_io_errors(config.run_dir), atomic.new_folder(folder) as staging:
            counted, sums = _write(config, shards, processor, layout, labels, limit, Path(staging))
            facts = {"fingerprint": data, **stated, **counted}
            atomic.write(f"{staging}/facts.json", json.dumps(facts, indent=1))
            manifest.save_of(staging, known=sums)
            if fingerprint(shards) != data:
                raise UserError(
                    f"data.path: {config.data.path} was published again while it was read: run the same command again"
                )
    return load_prepared(folder)


def _split(config: TrainConfig) -> dict[str, Any] | None:
    """How the dataset says that its solutions were cut into steps: whoever scores others must cut them so."""
    found = stated_split(read_figures(*open_uri(located(config.data.path, config.data.folders))))
    return None if found is None else found.model_dump(mode="json")


def _is_whole(folder: Path) -> bool:
    """Whether samples are there, and what was written. Those of before there were manifests pass."""
    if not folder.exists():
        return False
    if found := manifest.folder_faults(str(folder)):
        say(f"{folder}: {manifest.told(found)}: prepared again")
    return not found


def _folder(config: TrainConfig, parts: Sequence[Any], stated: Mapping[str, Any]) -> Path:
    """Where samples lie or will; `stated` is in the name only where samples of a dataset that said otherwise have it."""
    plain, other = (
        Path(config.run_dir) / f"samples-{origin.digest(each)[:12]}" for each in (list(parts), [*parts, dict(stated)])
    )
    try:
        held = json.loads((plain / "facts.json").read_text(encoding="utf-8"))
        # Those of before it was noted keep their name.
        same = all(held.get(name, value) == value for name, value in stated.items())
    except (OSError, ValueError):
        same = True
    return plain if same else other


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
    # With a tolerance, samples were made before gains were exact that are not these.
    exact = ["exact gains"] if config.target.kind == "advantage" and config.target.tolerance > 0 else []
    return [
        _FORMAT, data, repr(layout), tokenizer, processor.chat_template, processor.image_processor.to_json_string(),
        config.data.model_dump(exclude={"path"}), target, config.loss.model_dump(), config.seed, *exact,
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
    kept = selected(config, shards, labels, folder)
    make = partial(_tried, config=config, processor=processor, layout=layout, limit=limit)
    counts = Counts(layout.labels)
    writer = SampleWriter(folder, [TRAIN, HELD_OUT])
    out = error_stream()
    say("preparing samples")
    try:
        with ThreadPoolExecutor() as pool:
            found = problems(shards, [*COLUMNS, EXTRA], folder)
            for rows in tqdm(found, desc="preparing", unit="problem", file=out, disable=not out.isatty(), leave=False):
                problem = [labels.row(row) for row in rows]
                held_out = is_held_out(problem_of(problem[0]["id"]), config.data.held_out, config.seed)
                part = HELD_OUT if held_out else TRAIN
                chosen = problem if held_out or kept is None else [row for row in problem if row["id"] in kept]
                counts.left_out["not_selected"] += len(problem) - len(chosen)
                before = targets.solved_share(problem)
                samples: list[Sample] = []
                for row, made in zip(chosen, pool.map(partial(make, before=before), chosen), strict=True):
                    if isinstance(made, RowError):
                        counts.refused(row["id"], made)
                        continue
                    sample, dropped = made
                    counts.made(part, sample, dropped, own_layout(row, layout).system)
                    samples.append(sample)
                # What is evaluated stays as it is: a metric counts every solution.
                for sample in merged(samples) if part == TRAIN else samples:
                    counts.written(part, sample)
                    writer.add(part, sample)
    finally:
        writer.close()
    if not counts.parts[TRAIN]["samples"]:
        why = counts.reasons or "all were filtered out"
        raise UserError(f"data.path: {config.data.path} leaves no sample to train on: {why}")
    return {"max_tokens": limit.tokens, **counts.facts(config.loss.class_weights)}, writer.sums


def _tried(row: Mapping[str, Any], **how: Any) -> tuple[Sample, int] | RowError:
    try:
        return sample_of(row, **how)
    except RowError as error:
        return error
