"""`visualprm label-kinds RUN|DATASET`: all kinds of labels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline import origin
from pipeline.config import RunConfig, parse_config
from pipeline.config.label import of_other_kind
from pipeline.errors import UserError
from pipeline.functions import named_function
from pipeline.store import Store
from pipeline.store.dataset_files import check_dataset, is_dataset
from stages.annotate.damage import check_run
from stages.judge.ledgers import Judged, judge_of, judges
from stages.judge.of_dataset import JudgedDataset
from stages.judge.of_run import JudgedRun
from stages.judge.verdicts import Judgements
from stages.label import stated_kind
from stages.label_kinds.measure import compare, kinds_of
from stages.label_kinds.published import read_published
from stages.label_kinds.steps import read_steps
from stages.publish import hand_labels
from stages.publish.drawn import strategies
from stages.publish.published_steps import lacks, settings_for, stated_figures
from stages.rollout import STRATEGIES


def compared(place: str, overrides: Sequence[str], judge: str | None, oracles: Sequence[str]) -> dict[str, Any]:
    """The figures of `measure.compare`, by the verdicts that a ledger holds, or by what a dataset says.

    Args:
        place: a run directory, or a published dataset's folder.
        overrides: settings `label.…`.
        judge: the name of the judge, if there are several and the settings choose none.
        oracles: `module:function`s; each gets the run's store and returns a `steps.Oracle`.

    Raises:
        UserError: no solution is there, or the judge is not.
    """
    for setting in overrides:
        if not setting.startswith("label."):
            raise UserError(f"override {setting!r}: label-kinds takes only label.…")
    store = Store(place)
    if store.exists("ledger.json"):
        return _of_run(store, overrides, judge, oracles)
    if not is_dataset(place):
        raise UserError(
            f"{place}: no run and no dataset is here: name a run directory, or a published dataset's folder"
        )
    if oracles:
        raise UserError(
            f"--oracle: {place} is a dataset, and an oracle is asked about a run: name the run, or leave it out"
        )
    return _of_dataset(place, overrides, judge)


def _of_run(store: Store, overrides: Sequence[str], judge: str | None, oracles: Sequence[str]) -> dict[str, Any]:
    check_run(store)
    held = origin.noted(store, "config.yaml", "restore this file") or {}
    config = parse_config(of_other_kind(held, overrides), overrides, origin=store.uri)
    judgements = _judgements(JudgedRun(store), config, judge)
    people = hand_labels.held(store)
    said = {(one["id"], one["step"]): one["label"] for one in people["steps"]} if people else {}
    asked = {name.rpartition(":")[2]: named_function(name, "--oracle")(store) for name in oracles}
    steps = read_steps(store, judgements, asked, said)
    if not len(steps.lengths):
        raise UserError(f"{store.uri}: the ledger holds no solution yet; `visualprm dataset CONFIG` resumes it")
    strategy = STRATEGIES[config.rollout.strategy]
    return compare(steps, kinds_of(config.label, strategy.stops_at_success, judgements is not None))


def _of_dataset(dataset: str, overrides: Sequence[str], judge: str | None) -> dict[str, Any]:
    figures = stated_figures(dataset)
    config = settings_for(dataset, figures, overrides)
    check_dataset(dataset)
    judgements = _judgements(JudgedDataset(dataset), config, judge)
    steps = read_published(dataset, stated_kind(figures), judgements)
    stops = any(STRATEGIES[name].stops_at_success for name in strategies(figures) & set(STRATEGIES))
    kinds = kinds_of(config.label, stops, judgements is not None)
    # The first stands for `mc`, which all others are held against, whether or not there is such a label.
    possible = {name: kind for name, kind in kinds.items() if kind.kind == "mc" or lacks(figures, kind) is None}
    if steps.published.shared.any():
        possible = {name: kind for name, kind in possible.items() if kind.kind != "interval"}
    return compare(steps, possible)


def _judgements(judged: Judged, config: RunConfig, name: str | None) -> Judgements | None:
    """Of the judge that is named; null where nobody has judged."""
    if name is not None or not judges(judged):
        return None if name is None else Judgements.of_runs([judge_of(judged, name, "--judge")])
    chosen = config.label.judge
    return Judgements.of_runs([judge_of(judged, chosen, "label.judge" if chosen else "--judge")])
