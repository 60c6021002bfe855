"""What a run has published last, and whether that still lies there, whole: `published.json`."""

from __future__ import annotations

import hashlib

from pipeline import manifest, origin
from pipeline.config import RunConfig
from pipeline.store import Store, open_uri
from pipeline.terminal.speak import say
from stages.judge.ledgers import judge_of
from stages.judge.of_run import JudgedRun
from stages.publish import hand_labels
from stages.publish.whole import damage
from stages.verify.version import verifier_version

NOTE = "published.json"


def is_published(store: Store, config: RunConfig) -> bool:
    """Whether what this ledger and these settings give lies in the output folder. What is damaged there is told."""
    published = origin.noted(store, NOTE, "remove this file, and the dataset is published again")
    # Which of the two it is follows from the ledger, whose files the key names: none of them has to be opened for it.
    if published is None or published.get("key") not in [_key(store, config, mixed, False) for mixed in (False, True)]:
        return False
    found = damage(config.output_dir)
    if not found and published.get("stats") == _stats_hash(config):
        return True
    told = manifest.told(found) or "another dataset lies there"
    say(f"{config.output_dir}: {told}: published again")
    return False


def note_published(store: Store, config: RunConfig, mixed: bool, reverified: bool) -> None:
    """Records what was published just now.

    Args:
        mixed: several verifiers have given the ledger's verdicts.
        reverified: all verdicts were given anew.
    """
    store.write_json(NOTE, {"key": _key(store, config, mixed, reverified), "stats": _stats_hash(config)})


def _key(store: Store, config: RunConfig, mixed: bool, reverified: bool) -> str:
    """Stands for all that the published rows follow from: another key publishes anew."""
    parts = [
        config.label.model_dump(),
        config.publish.model_dump(),
        config.verify.model_dump(exclude={"workers", "time_limit_s"}),
        [source.verify for source in config.sources],
        reverified,
        open_uri(config.output_dir)[1],
        store.ledger_files(),
        *([verifier_version()] if mixed else []),
        *([found] if (found := hand_labels.held(store)) is not None else []),
        *([judge_of(JudgedRun(store), config.label.judge).ledger_files()] if config.label.needs_judge else []),
    ]
    return origin.digest(parts)


def _stats_hash(config: RunConfig) -> str | None:
    """Of the `stats.json` in the output folder, which says whose dataset lies there; null if none does."""
    filesystem, out = open_uri(config.output_dir)
    if not filesystem.get_file_info(f"{out}/stats.json").is_file:
        return None
    with filesystem.open_input_stream(f"{out}/stats.json") as file:
        return hashlib.sha256(file.read()).hexdigest()
