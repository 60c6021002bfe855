"""From a run directory to a published dataset: shards, card, statistics and the quarantine of failed problems."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

import yaml

from pipeline.config import RunConfig, parse_config
from pipeline.errors import UserError
from pipeline.records import Rejected
from pipeline.reverify import rejudge_all, rejudge_timeouts
from pipeline.stats import Stats, statistics
from pipeline.store import Store, open_uri
from stages import card, label
from stages.publish import Run, publish

FREE = ("label", "publish", "output_dir")
"""What `visualprm publish` may set anew; with `--reverify` also `verify` and `sources.N.verify`."""


def publish_run(store: Store, config: RunConfig, force: bool, stored: RunConfig | None = None) -> bool:
    """Publishes if there is something new, and says whether it did.

    Given the settings that are `stored` with the run, all verdicts are given anew, by `config`.

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
        _ledger(store, config, stored),
        config.rollout.num_draws,
        store.filesystem,
        _rejected(store),
    )
    labeller = partial(label.labelled_steps, config=config.label)
    stats = publish([run], out, filesystem, config.publish, labeller, partial(_documents, config, store))
    store.write_jsonl("quarantine/annotate.jsonl", map(_quarantine_row, stats.failed))
    store.write_json("published.json", key)
    print(card.summary_table(statistics(stats.document())))
    return True


def _ledger(store: Store, config: RunConfig, stored: RunConfig | None) -> list[str]:
    """The files to publish from: late verdicts are given once more, or, against the `stored` settings, all of them."""
    if stored is None:
        return rejudge_timeouts(store, config)
    paths, flips = rejudge_all(store, config, stored)
    print(flips.text())
    return paths


def _documents(config: RunConfig, store: Store, stats: Stats, folder: str) -> Mapping[str, str]:
    """README.md and stats.json for the finished shards in `folder`."""
    versions = {name: version(name) for name in ("pyarrow", "datasets")}
    sections = [_section(name)(store, folder) for name in config.publish.card_sections]
    return card.documents(stats.document(), config, versions, sections)


def check_sections(config: RunConfig) -> None:
    """Imports the card's sections, so that a wrong name is told before any work.

    Raises:
        UserError: there is no such function.
    """
    for name in config.publish.card_sections:
        _section(name)


def _section(name: str) -> Callable[[Store, str], str]:
    """The function `module:function` of `publish.card_sections`.

    Raises:
        UserError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        section: Callable[[Store, str], str] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"publish.card_sections: {name!r} can't be imported ({error}): write it as module:function"
        ) from error
    return section


def republish(run: str, overrides: Sequence[str], reverify: bool = False) -> None:
    """`visualprm publish RUN [key=value …]`: the run's own settings, with others for labels and shards.

    `reverify` judges the stored draws anew, and allows other settings for that too.

    Raises:
        UserError: no run is there, or an override would change the ledger.
    """
    store = Store(run)
    if not store.exists("problems.json"):
        raise UserError(f"{run}: no run with loaded problems is here; `visualprm dataset CONFIG` makes one")
    for override in overrides:
        _check_override(override, reverify)
    text = store.read_text("config.yaml")
    stored = parse_config(yaml.safe_load(text)) if reverify else None
    with store.lock():
        publish_run(store, parse_config(yaml.safe_load(text), overrides), force=True, stored=stored)


def _check_override(override: str, reverify: bool) -> None:
    """Refuses settings that the ledger depends on.

    Raises:
        UserError: names the setting and what may be set.
    """
    parts = override.split("=")[0].split(".")
    if parts[0] in FREE:
        return
    if parts[0] == "verify" or (parts[0] == "sources" and parts[2:] == ["verify"]):
        if reverify:
            return
        raise UserError(f"override {override!r}: the stored verdicts were given without it: add --reverify")
    allowed = (*FREE, "verify", "sources.N.verify") if reverify else FREE
    raise UserError(f"override {override!r}: publishing takes only {', '.join(allowed)}")


def _key(store: Store, config: RunConfig) -> str:
    parts = [config.label.model_dump(), config.publish.model_dump(), config.output_dir, store.ledger_files()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _rejected(store: Store) -> list[Rejected]:
    rows = map(json.loads, store.read_text("quarantine/load.jsonl").splitlines())
    return [Rejected(row["source"], row["id"], row["reason"], row["detail"]) for row in rows]


def _quarantine_row(item: Rejected) -> dict[str, str]:
    return {"source": item.source, "id": item.row_id, "reason": item.reason, "detail": item.detail}
