"""From a run directory to a published dataset: shards, card, statistics and the quarantine of failed problems."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

import yaml

from pipeline.config import RunConfig, parse_config
from pipeline.errors import UserError
from pipeline.frontier.ledger import recorded
from pipeline.frontier.measure import audit
from pipeline.frontier.report import audit_text
from pipeline.functions import named_function
from pipeline.records import Rejected
from pipeline.stats import Stats, statistics
from pipeline.store import Store, open_uri
from stages import card, label
from stages.publish import Run, publish
from stages.rollout import largest_bias

FREE = ("label", "publish", "output_dir")
"""What `visualprm publish` may set anew."""


def publish_run(store: Store, config: RunConfig, force: bool) -> bool:
    """Publishes if there is something new, and says whether it did.

    Raises:
        UserError: the labels asked for don't follow from this ledger, or the disk refuses.
    """
    key = _key(store, config)
    filesystem, out = open_uri(config.output_dir)
    written = filesystem.get_file_info(f"{out}/stats.json").is_file
    if not force and written and store.exists("published.json") and store.read_json("published.json") == key:
        return False
    label.check_threshold(config.rollout.strategy, config.label)
    run = Run(
        store.problem_files(),
        store.ledger_files(),
        config.rollout.num_draws,
        store.filesystem,
        _rejected(store),
    )
    labeller = partial(label.labelled_steps, config=config.label)
    stats = publish([run], out, filesystem, config.publish, labeller, partial(_documents, config, store))
    store.write_jsonl("quarantine/annotate.jsonl", map(_quarantine_row, stats.failed))
    store.write_json("published.json", key)
    print(card.summary_table(statistics(stats.document())))
    if found := _audit(store, config):
        print(found)
    return True


def _documents(config: RunConfig, store: Store, stats: Stats, folder: str) -> Mapping[str, str]:
    """README.md and stats.json for the finished shards in `folder`."""
    versions = {name: version(name) for name in ("pyarrow", "datasets")}
    found = _audit(store, config)
    sections = [
        _bias_section(config),
        found and f"## Audit\n\n{found}",
        *(_section(name)(store, folder) for name in config.publish.card_sections),
    ]
    return card.documents(stats.document(), config, versions, list(filter(None, sections)))


def _bias_section(config: RunConfig) -> str:
    """What a reader of scores must know of a strategy that stops by what it has drawn; empty for the others."""
    bias = largest_bias(config.rollout)
    if abs(bias) < 1e-6:
        return ""
    return (
        f"## Scores\n\n`{config.rollout.description}` stops by what it has drawn. The counts are true, and so is "
        "whether a score is above 0 (what `fixed` says with the same draws), but the score k / n is no unbiased "
        f"estimate of mc: its mean is off by up to {bias:+.3f}, depending on mc."
    )


def _audit(store: Store, config: RunConfig) -> str:
    """What the audited solutions say of all others; empty where the strategy audits none."""
    if "audit_fraction" not in config.rollout.parameters or not config.rollout.audit_fraction:
        return ""
    return audit_text(audit(recorded(store), config.rollout))


def check_sections(config: RunConfig) -> None:
    """Imports the card's sections, so that a wrong name is told before any work.

    Raises:
        UserError: there is no such function.
    """
    for name in config.publish.card_sections:
        _section(name)


def _section(name: str) -> Callable[..., str]:
    return named_function(name, "publish.card_sections")


def republish(run: str, overrides: Sequence[str]) -> None:
    """`visualprm publish RUN [key=value …]`: the run's own settings, with others for labels and shards.

    Raises:
        UserError: no run is there, or an override would change the ledger.
    """
    store = Store(run)
    if not store.exists("problems.json"):
        raise UserError(f"{run}: no run with loaded problems is here; `visualprm dataset CONFIG` makes one")
    for override in overrides:
        if override.split("=")[0].split(".")[0] not in FREE:
            raise UserError(f"override {override!r}: publishing takes only {', '.join(FREE)}")
    with store.lock():
        publish_run(store, parse_config(yaml.safe_load(store.read_text("config.yaml")), overrides), force=True)


def _key(store: Store, config: RunConfig) -> str:
    parts = [config.label.model_dump(), config.publish.model_dump(), config.output_dir, store.ledger_files()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _rejected(store: Store) -> list[Rejected]:
    rows = map(json.loads, store.read_text("quarantine/load.jsonl").splitlines())
    return [Rejected(row["source"], row["id"], row["reason"], row["detail"]) for row in rows]


def _quarantine_row(item: Rejected) -> dict[str, str]:
    return {"source": item.source, "id": item.row_id, "reason": item.reason, "detail": item.detail}
