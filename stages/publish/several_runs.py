"""Whether several runs go into one dataset: the same labels from the same questions, each policy once."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.store import Store
from pipeline.terminal.speak import say
from stages.annotate.engines import noted_split
from stages.split import told

Runs = Sequence[tuple[Store, RunConfig]]
"""What goes into one dataset."""

_MEND = {
    "label": "give `label.…=…` to `publish`",
    "publish": "give `publish.…=…` to `publish`",
    "contamination": "they were compared with different benchmarks; publish them separately",
}
SHARED = tuple(_MEND)
"""Settings that hold for a dataset as a whole."""


def check_together(runs: Runs) -> None:
    """Compares the runs' settings, sources and policies; tells of problems that only some of them hold.

    Raises:
        UserError: they differ in what must be the same, or two hold the same policy's solutions of a problem.
    """
    (first, config), *others = runs
    for store, other in others:
        for key in SHARED:
            if getattr(other, key) != getattr(config, key):
                raise UserError(f"{key}: {first.uri} and {store.uri} have different settings: {_MEND[key]}")
        _check_modes(first, config, store, other)
        _check_scores(first, config, store, other)
        _check_steps(first, config, store, other)
    _check_policies(runs)
    _tell_missing(runs)


def _check_modes(first: Store, config: RunConfig, store: Store, other: RunConfig) -> None:
    modes = {source.name: source.verify for source in config.sources}
    for source in other.sources:
        if source.verify != modes.get(source.name, source.verify):
            raise UserError(
                f"source {source.name!r}: answers are judged by {', '.join(modes[source.name])} in {first.uri} and by "
                f"{', '.join(source.verify)} in {store.uri}: their scores can't be compared; publish them separately"
            )


def _check_steps(first: Store, config: RunConfig, store: Store, other: RunConfig) -> None:
    """Refuses steps that were cut in different ways: whoever scores a response could cut it in one alone."""
    cut, cut_other = noted_split(first, config), noted_split(store, other)
    if cut.opened != cut_other.opened and config.split.part == other.split.part:
        inside, not_inside = (store, first) if cut_other.opened else (first, store)
        raise UserError(
            f"split.opened: solutions begin inside the thinking in {inside.uri}, not in {not_inside.uri}: publish them "
            "separately"
        )
    one, two = (each.model_dump(exclude={"max_steps"}) for each in (cut, cut_other))
    if one != two:
        raise UserError(
            f"split: {first.uri} and {store.uri} cut solutions otherwise ({told(config.split)}; {told(other.split)}): publish "
            "them separately"
        )


def _check_scores(first: Store, config: RunConfig, store: Store, other: RunConfig) -> None:
    """Refuses scores that mean different things: judged by other rules, or of a last step that was measured otherwise."""
    for key, one, two, mend in (
        (
            "verify.compat",
            config.verify.compat,
            other.verify.compat,
            "judge both alike with `--reverify verify.compat=…`, or publish them separately",
        ),
        (
            "rollout.complete_prefix",
            config.rollout.complete_prefix,
            other.rollout.complete_prefix,
            "their last steps' scores can't be compared; publish them separately",
        ),
    ):
        if one != two:
            raise UserError(f"{key} is {one or 'null'} in {first.uri} and {two or 'null'} in {store.uri}: {mend}")


def _check_policies(runs: Runs) -> None:
    seen: dict[tuple[str, str], Store] = {}
    for store, _ in runs:
        files = store.ledger_files()
        columns = (store.column(files, name).to_pylist() for name in ("problem_id", "policy_key"))
        # A set, since a block that was committed twice around a crash holds the same rows again.
        for key in set(zip(*columns, strict=True)):
            if key in seen:
                raise UserError(
                    f"{seen[key].uri} and {store.uri} hold solutions of the same problem by the same policy "
                    f"({key[1]}): publish one of the runs"
                )
            seen[key] = store


def _tell_missing(runs: Runs) -> None:
    problems = [store.problem_ids() for store, _ in runs]
    union = set().union(*problems)
    for (store, _), ids in zip(runs, problems, strict=True):
        if ids != union:
            say(f"{store.uri}: lacks {len(union - ids):,} of {len(union):,} problems")
