"""`visualprm label-kinds RUN`: all kinds of labels of a run side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline import origin
from pipeline.config import RunConfig, of_other_kind, parse_config
from pipeline.errors import UserError
from pipeline.functions import named_function
from pipeline.store import Store
from stages.annotate.damage import check_run
from stages.judge.ledgers import judge_of, judges
from stages.judge.verdicts import Judgements
from stages.label_kinds.measure import compare, kinds_of
from stages.label_kinds.steps import read_steps
from stages.publish import hand_labels
from stages.rollout import STRATEGIES


def compared(run: str, overrides: Sequence[str], judge: str | None, oracles: Sequence[str]) -> dict[str, Any]:
    """The figures of `measure.compare`, by the verdicts that the ledger holds.

    Args:
        run: a run directory.
        overrides: settings `label.…`.
        judge: the name of the judge, if the run has several and its settings choose none.
        oracles: `module:function`s; each gets the run's store and returns a `steps.Oracle`.

    Raises:
        UserError: no solution is there, or the judge is not.
    """
    store = Store(run)
    if not store.exists("ledger.json"):
        raise UserError(f"{store.uri}: no run is here: name a run directory")
    for setting in overrides:
        if not setting.startswith("label."):
            raise UserError(f"override {setting!r}: label-kinds takes only label.…")
    check_run(store)
    held = origin.noted(store, "config.yaml", "restore this file") or {}
    config = parse_config(of_other_kind(held, overrides), overrides, origin=store.uri)
    judgements = Judgements.of_runs([_judge(store, config, judge)]) if judge or judges(store) else None
    people = hand_labels.held(store)
    said = {(one["id"], one["step"]): one["label"] for one in people["steps"]} if people else {}
    asked = {name.rpartition(":")[2]: named_function(name, "--oracle")(store) for name in oracles}
    steps = read_steps(store, judgements, asked, said)
    if not len(steps.lengths):
        raise UserError(f"{store.uri}: the ledger holds no solution yet; `visualprm dataset CONFIG` resumes it")
    strategy = STRATEGIES[config.rollout.strategy]
    return compare(steps, kinds_of(config.label, strategy.stops_at_success, judgements is not None))


def _judge(store: Store, config: RunConfig, name: str | None) -> Store:
    if name is None and config.label.judge is not None:
        return judge_of(store, config.label.judge)
    return judge_of(store, name, "--judge")
