"""What was published, as counts, and the means and shares that follow from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.records import VERDICT_STATUSES, Rejected
from stages.label import StepColumns
from stages.label_rules import LABELS, ORIGINS, Label

if TYPE_CHECKING:
    from stages.publish.shards import Shard


KEPT = ("label_kind.labelled_by_mc", "label_kind.kept", "label_kind.differing")
"""What is counted of labels of another kind than `mc`."""


@dataclass
class Stats:
    """What was published, as plain counts.

    `sources` holds one tally a source, with dotted keys for what is counted by kind: `draws.correct`,
    `responses.timeout`, `origins.measured`, `quarantined.<reason>`. `failed` are the problems of which
    nothing could be published.
    """

    sources: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    policies: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failed: list[Rejected] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON values, of which none depends on how often the run was killed."""
        keys = ("policy_model", "prompt_sha", "strategy", "solutions")
        return {
            "sources": {source: dict(tally) for source, tally in sorted(self.sources.items())},
            "policies": [dict(zip(keys, (*key, n), strict=True)) for key, n in sorted(self.policies.items())],
            "shards": [asdict(shard) for shard in self.shards],
        }


def count_solutions(
    stats: Stats,
    sources: pa.StringArray,
    verdicts: np.ndarray,
    lengths: np.ndarray,
    draws: np.ndarray,
    steps: StepColumns,
) -> None:
    """Adds labelled solutions of these sources; the other arrays are those of `stages.label.label_columns`."""
    names, source = _numbered(sources)
    of_step = np.repeat(source, lengths)
    solution = np.repeat(np.arange(len(source)), lengths)
    scored = steps.total > 0
    count_labels(stats, sources, lengths, steps)
    responses = _by_number(source, verdicts, len(names), len(VERDICT_STATUSES))
    origins = _by_number(of_step, steps.origin, len(names), len(ORIGINS))
    for index, name in enumerate(names):
        tally = stats.sources[name]
        tally["steps"] += int(origins[index].sum())
        tally["scored_steps"] += int(scored[of_step == index].sum())
        drawn = draws[of_step == index].sum(axis=0)
        for prefix, kinds, counts in (
            ("responses", VERDICT_STATUSES, responses[index]),
            ("origins", ORIGINS, origins[index]),
            ("draws", VERDICT_STATUSES, drawn),
        ):
            for kind, number in zip(kinds, counts.tolist(), strict=True):
                if number:
                    tally[f"{prefix}.{kind}"] += number
    # Added solution by solution, so that a mean has the same last digit whatever was counted together: `bincount` adds in order.
    sums = np.bincount(solution[scored], weights=steps.score[scored], minlength=len(source))
    before = [stats.sources[name]["score_sum"] for name in names]
    totals = np.bincount([*range(len(names)), *source], weights=[*before, *sums], minlength=len(names))
    for name, total in zip(names, totals.tolist(), strict=True):
        stats.sources[name]["score_sum"] = total


def count_labels(stats: Stats, sources: pa.StringArray, lengths: np.ndarray, steps: StepColumns) -> None:
    """Of `count_solutions`, the solutions and what depends on their labels alone."""
    names, source = _numbered(sources)
    of_step = np.repeat(source, lengths)
    solution = np.repeat(np.arange(len(source)), lengths)

    def has(label: Label) -> np.ndarray:
        return np.bincount(solution, weights=steps.label == LABELS.index(label), minlength=len(source)) > 0

    labels = _by_number(of_step, steps.label + 1, len(names), len(LABELS) + 1)[:, 1:]
    mixed = np.bincount(source[has("+") & has("-")], minlength=len(names))
    if steps.mc is not None:
        by_mc = steps.mc >= 0
        kept = by_mc & (steps.label >= 0)
        for key, counted in zip(KEPT, (by_mc, kept, kept & (steps.label != steps.mc)), strict=True):
            found = np.bincount(of_step[counted], minlength=len(names))
            for name, number in zip(names, found.tolist(), strict=True):
                stats.sources[name][key] += number
    for index, name in enumerate(names):
        tally = stats.sources[name]
        tally["solutions"] += int((source == index).sum())
        tally["incorrect_steps"] += int(labels[index, LABELS.index("-")])
        tally["labelled_steps"] += int(labels[index].sum())
        tally["mixed_solutions"] += int(mixed[index])


def _numbered(sources: pa.StringArray) -> tuple[list[str], np.ndarray]:
    """The different names, and of each source its place among them."""
    encoded = sources.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _by_number(of: np.ndarray, kind: np.ndarray, numbers: int, kinds: int) -> np.ndarray:
    """How often each kind occurs with each number, [numbers, kinds]."""
    return np.bincount(of * kinds + kind, minlength=numbers * kinds).reshape(-1, kinds)


def count_steps(tally: dict[str, float], steps: Sequence[tuple[str | None, float | None, str]]) -> None:
    """Adds a solution by its steps alone: the label, score and origin of each."""
    labels = [label for label, _, _ in steps]
    scores = [score for _, score, _ in steps if score is not None]
    tally["solutions"] += 1
    tally["steps"] += len(steps)
    tally["scored_steps"] += len(scores)
    tally["score_sum"] += sum(scores)
    tally["incorrect_steps"] += labels.count("-")
    tally["labelled_steps"] += len(labels) - labels.count(None)
    tally["mixed_solutions"] += "+" in labels and "-" in labels
    for _, _, origin in steps:
        tally[f"origins.{origin}"] += 1


def statistics(document: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of `stats.json`, from `Stats.document()`.

    `total` and each of `sources` hold counts, means (`mean_mc` and `mean_steps` a solution), shares in
    [0, 1], and counts by kind: `responses` and `draws` by verdict, `origins`, `quarantined` by reason.
    `contaminated` are the problems that overlap with a benchmark, `overlaps` the same by benchmark; null if no
    problem was compared with any. `label_kind` is there if the labels are of another kind than `mc`.
    """
    tallies: Mapping[str, Mapping[str, float]] = document["sources"]
    total: dict[str, float] = {}
    for tally in tallies.values():
        for key, value in tally.items():
            total[key] = total.get(key, 0) + value
    return {
        "total": _figures(total),
        "sources": {source: _figures(tally) for source, tally in tallies.items()},
        "policies": document["policies"],
        "shards": document["shards"],
    }


def _figures(tally: Mapping[str, float]) -> dict[str, Any]:
    def count(key: str) -> int:
        return int(tally.get(key, 0))

    def ratio(part: str, whole: str) -> float | None:
        return tally.get(part, 0) / tally[whole] if tally.get(whole) else None

    def kinds(prefix: str, known: Sequence[str] = ()) -> dict[str, int]:
        found = sorted(key.removeprefix(prefix) for key in tally if key.startswith(prefix))
        return {kind: count(prefix + kind) for kind in (*known, *(kind for kind in found if kind not in known))}

    return {
        "problems": count("problems"),
        "solutions": count("solutions"),
        "steps": count("steps"),
        "tokens": count("tokens"),
        "pending": count("pending"),
        "contaminated": count("contaminated") if tally.get("screened") else None,
        "overlaps": kinds("overlaps."),
        "mean_steps": ratio("steps", "solutions"),
        "mean_mc": ratio("score_sum", "scored_steps"),
        "correct_response_share": ratio("responses.correct", "solutions"),
        "incorrect_step_share": ratio("incorrect_steps", "labelled_steps"),
        "mixed_solution_share": ratio("mixed_solutions", "solutions"),
        "responses": kinds("responses.", VERDICT_STATUSES),
        "draws": kinds("draws.", VERDICT_STATUSES),
        "origins": kinds("origins."),
        "quarantined": kinds("quarantined."),
        **({"label_kind": _kept(tally)} if "label_kind.kept" in tally else {}),
    }


def _kept(tally: Mapping[str, float]) -> dict[str, Any]:
    """What a kind of label keeps of the labels of `mc`, and how many of these are another label."""
    counts = {key.removeprefix("label_kind."): int(tally[key]) for key in KEPT}
    whole = counts["labelled_by_mc"]
    return {**counts, "kept_share": counts["kept"] / whole if whole else None}
