"""From a run directory to a published dataset: shards, card, statistics and the quarantine of failed problems."""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from pipeline import origin
from pipeline.config import RunConfig, parse_config
from pipeline.config.label import of_other_kind
from pipeline.errors import UserError
from pipeline.records import Rejected
from pipeline.store import Store, open_uri
from pipeline.terminal.speak import tell
from stages import label
from stages.annotate.budget import used
from stages.annotate.damage import adopt, check_run
from stages.annotate.engines import engines
from stages.judge.ledgers import judge_of, judged_by
from stages.judge.of_run import JudgedRun
from stages.judge.verdicts import Judgements
from stages.publish import card, hand_labels
from stages.publish.closed import closed_thinking
from stages.publish.entries import Run
from stages.publish.held import Held, held, spans, verifiers
from stages.publish.published import note_published
from stages.publish.reverify import rejudge_all, rejudge_needed
from stages.publish.rows import publish
from stages.publish.sections import check_code, section
from stages.publish.several_runs import Runs, check_together
from stages.publish.stats import Stats, statistics
from stages.rollout import STRATEGIES, largest_bias
from stages.rollout.audit import audit, audit_text
from stages.rollout.ledger import recorded
from stages.verify.version import verifier_version

FREE = ("label", "publish", "output_dir")
"""What `visualprm publish` may set anew; with `--reverify` also `verify` and `sources.N.verify`."""


def publish_run(store: Store, config: RunConfig, stored: RunConfig | None = None) -> None:
    """Publishes, and records that it did.

    Given the settings that are `stored` with the run, all verdicts are given anew, by `config`.

    Raises:
        UserError: the labels asked for don't follow from this ledger, or the disk refuses.
    """
    stats, told, mixed = _publish([(store, config)], [stored] if stored else None)
    store.write_jsonl("quarantine/annotate.jsonl", map(Rejected.row, stats.failed))
    note_published(store, config, mixed, reverified=stored is not None)
    # Recorded first: an output that is closed, or can't show a letter, must not cost the records.
    tell(told)


def _publish(runs: Runs, stored: Sequence[RunConfig] | None) -> tuple[Stats, str, bool]:
    """Publishes the runs together; gives what there is to tell of it, and whether several verifiers had judged.

    Given the settings that are `stored` with each run, all verdicts are given anew.
    """
    config = runs[0][1]
    for _, each in runs:
        strategy = each.rollout.strategy
        label.check_rule(strategy, STRATEGIES[strategy].stops_at_success, each.label)
    settings: Sequence[RunConfig | None] = stored or [None] * len(runs)
    verdicts = [held(store) for store, _ in runs]
    mixed = len(verifiers(verdicts)) > 1
    found = [_ledger(*run, each, own, mixed) for run, each, own in zip(runs, settings, verdicts, strict=True)]
    ledgers = [paths for paths, _ in found]
    parts = [
        Run(store.problem_files(), ledger, each.rollout.num_draws, store.filesystem, _rejected(store), spans(own))
        for (store, each), ledger, own in zip(runs, ledgers, verdicts, strict=True)
    ]
    filesystem, out = open_uri(config.output_dir)
    labeller = partial(label.label_columns, config=config.label)
    provenance = _provenance(runs, ledgers, verdicts, anew=mixed or stored is not None)
    judges = [judge_of(JudgedRun(store), config.label.judge) for store, _ in runs] if config.label.needs_judge else []
    judgements = Judgements.of_runs(judges) if judges else None
    if judges:
        provenance["judges"] = [judged_by(judge) for judge in judges]
    describe = partial(_documents, runs, ledgers, provenance)
    stats = publish(parts, out, filesystem, config.publish, labeller, describe, judgements)
    told = [text for _, text in found if text is not None]
    table = card.summary_table(statistics(stats.document()))
    return stats, "\n".join([*told, table, *_audits(runs, ledgers)]), mixed


def _ledger(
    store: Store, config: RunConfig, stored: RunConfig | None, verdicts: Mapping[str, Held], mixed: bool
) -> tuple[list[str], str | None]:
    """The files to publish from, and what changed, if all verdicts were given anew.

    Judged again is what `rejudge_needed` says, or, against the `stored` settings, all.
    """
    if stored is not None:
        paths, flips = rejudge_all(store, config, stored)
        return paths, flips.text()
    paths, changed = rejudge_needed(store, config, verdicts, mixed)
    if changed is None:
        return paths, None
    what = "verdicts of an earlier verifier are mixed with newer ones, so all are judged again"
    return paths, f"{store.uri}: {what}; {changed.text()}"


def _provenance(
    runs: Runs, ledgers: Sequence[Sequence[str]], verdicts: Sequence[Mapping[str, Held]], anew: bool
) -> dict[str, Any]:
    """What drew and judged: the engines of all runs, and the verifiers, which are today's where all verdicts are given `anew`."""
    drew: list[dict[str, Any]] = []
    judged: set[str | None] = {verifier_version()} if anew else set()
    for (store, config), ledger, committed in zip(runs, ledgers, verdicts, strict=True):
        drew += [engine for engine in engines(store, config) if engine not in drew]
        if not anew:
            judged |= verifiers([committed])
            if any(path not in committed for path in ledger):
                judged.add(verifier_version())
    closed = [found for store, config in runs if (found := closed_thinking(store, config))]
    more: dict[str, Any] = {"closed_thinking": closed} if closed else {}
    of_servers = [used(store) for store, config in runs if config.engine.kind == "server"]
    if of_servers:
        prompts, written = (
            sum(getattr(one, name) for one in of_servers) for name in ("prompt_tokens", "completion_tokens")
        )
        more["server_tokens"] = {"prompt": prompts, "completion": written}
    return {"engines": drew, "verifiers": sorted(judged, key=lambda name: name or ""), **more}


def _documents(
    runs: Runs, ledgers: Sequence[Sequence[str]], provenance: Mapping[str, Any], stats: Stats, folder: str
) -> Mapping[str, str]:
    """README.md and stats.json for the finished shards in `folder`, which were made from each run's `ledgers`.

    Raises:
        UserError: no problem has a solution; what was published before stays.
    """
    if not any(tally.get("solutions") for tally in stats.sources.values()):
        where = ", ".join(store.uri for store, _ in runs)
        raise UserError(
            f"{where}: no problem has a solution, so nothing is published: quarantine/ there has the reasons"
        )
    versions = {name: version(name) for name in ("pyarrow", "datasets")}
    (_, config), *others = runs
    sections = [
        *dict.fromkeys(_bias_section(each) for _, each in runs),
        *(f"## Audit\n\n{found}" for found in _audits(runs, ledgers)),
        *(hand_labels.section(store, folder, open_uri(each.output_dir)[0]) for store, each in runs),
        *(
            section(name)(store, folder, ledger)
            for name in config.publish.card_sections
            for (store, _), ledger in zip(runs, ledgers, strict=True)
        ),
    ]
    documents = card.documents(
        stats.document(), config, versions, list(filter(None, sections)), [each for _, each in others], provenance
    )
    # The folder takes its place next.
    for store, _ in runs:
        store.check_lock()
    return documents


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


def _audits(runs: Runs, ledgers: Sequence[Sequence[str]]) -> list[str]:
    """What the audited solutions of each run say of all others; nothing where the strategy audits none."""
    return [
        audit_text(audit(recorded(store, ledger), config.rollout))
        for (store, config), ledger in zip(runs, ledgers, strict=True)
        if "audit_fraction" in config.rollout.parameters and config.rollout.audit_fraction
    ]


def republish(runs: Sequence[str], overrides: Sequence[str], reverify: bool = False, run_code: bool = False) -> None:
    """`visualprm publish RUN … [key=value …]`: the runs' own settings, with others for labels and shards.

    A relative `output_dir` is below the working directory if it is typed here, and where `visualprm dataset` was
    called otherwise. `reverify` judges the stored draws anew, and allows other settings for that too. `run_code` runs
    the functions that the runs' own settings name.

    Raises:
        UserError: no run is there, an override would change the ledger, or the runs don't go into one dataset.
    """
    keys = [override.partition("=")[0] for override in overrides]
    for override in overrides:
        _check_override(override, reverify)
    if len(runs) > 1 and "output_dir" not in keys:
        raise UserError("several runs make a new dataset: say where with output_dir=…")
    stores = [Store(run) for run in runs]
    if len({store.root for store in stores}) < len(stores):
        raise UserError(f"publish: a run is named twice among {', '.join(runs)}: name each once")
    for store in stores:
        if not store.exists("problems.json") and not store.sums():
            raise UserError(f"{store.uri}: no run with loaded problems is here; `visualprm dataset CONFIG` makes one")
    with contextlib.ExitStack() as locks:
        for store in stores:
            locks.enter_context(store.lock())
            adopt(store)
            check_run(store)
        written = [origin.noted(store, "config.yaml", "restore this file") or {} for store in stores]
        configs = [parse_config(of_other_kind(settings, overrides), overrides) for settings in written]
        if not run_code and "publish.card_sections" not in keys:
            check_code(stores[0].uri, configs[0])
        stored = [parse_config(settings) for settings in written] if reverify else None
        if len(runs) == 1:
            publish_run(stores[0], configs[0], stored[0] if stored else None)
        else:
            name = posixpath.basename(open_uri(configs[0].output_dir)[1])
            renamed = [config.model_copy(update={"name": name}) for config in configs]
            named = list(zip(stores, renamed, strict=True))
            check_together(named)
            tell(_publish(named, stored)[1])


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


def _rejected(store: Store) -> list[Rejected]:
    return [Rejected.from_row(json.loads(line)) for line in store.read_text("quarantine/load.jsonl").splitlines()]
