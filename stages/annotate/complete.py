"""Brings a run's ledger to its end: loads and annotates what is still missing."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.cluster.session import ray_session
from pipeline.config import RunConfig
from pipeline.engine.policy import policy_name
from pipeline.errors import StartError, UserError
from pipeline.store import Store, one_line_io_errors
from pipeline.terminal.speak import say
from stages.annotate.budget import within_budget
from stages.annotate.damage import PROBLEMS, adopt, find_damage
from stages.annotate.earlier_run import take_over
from stages.annotate.engines import keep_notes, note_earlier_engines
from stages.annotate.graph import annotate_problems
from stages.annotate.ledger_tally import ledger_tally
from stages.annotate.limits import check_limits, endable, within_limits
from stages.annotate.mend import done_ids, mend
from stages.annotate.progress import progress_bar
from stages.annotate.settings_lock import lock_settings
from stages.annotate.times import keep_times
from stages.annotate.watch import hangs_ended
from stages.load.problems import load_problems


def complete_ledger(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, earlier: Store | None = None
) -> tuple[int, int]:
    """Loads and annotates what is still missing, under the store's lock: (problems, of these annotated now).

    The problems come from the `earlier` run, if there is one, instead of the sources.

    Raises:
        UserError: the directory belongs to other settings, no row is usable, or a limit is passed.
        StartError: problems are left over.
    """
    adopt(store)
    mend_run(store, config, templates, model, earlier)
    try:
        return _complete(store, config, templates, model, earlier)
    except (OSError, ValueError, pa.ArrowException):
        # A file of the right size that can't be read: then every byte is compared.
        if find_damage(store, ("",)):
            mend_run(store, config, templates, model, earlier, ("",))
            return _complete(store, config, templates, model, earlier)
        raise


def _complete(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, earlier: Store | None
) -> tuple[int, int]:
    lock_settings(store, config, templates, model)
    if not store.exists("problems.json"):
        _load(store, config, earlier)
    held = {path: store.ids([path]) for path in store.problem_files()}
    problems = set().union(*held.values())
    before = store.checkpoint_files()
    done = done_ids(store, problems)
    if not problems:
        raise UserError(f"{store.uri}: no source gave a usable problem; quarantine/ says why for each row")
    if pending := len(problems - done):
        # They are about to be shown to the policy: a question that a disk has changed must not be.
        if store.local and find_damage(store, (PROBLEMS,)):
            mend_run(store, config, templates, model, earlier, (PROBLEMS,))
            # Which are pending was said by files that have been made again.
            return _complete(store, config, templates, model, earlier)
        # A file of which all is done is not read again, with all its images, only to drop every row.
        files = [path for path, ids in held.items() if not ids <= done]
        _annotate_pending(store, config, templates, model, len(problems), pending, files)
        done |= store.ids(sorted(set(store.checkpoint_files()) - set(before)))
        if left := len(problems - done):
            raise StartError(f"{store.uri}: {left} problems are still not done")
    keep_notes(store)
    return len(problems), pending


def mend_run(
    store: Store,
    config: RunConfig,
    templates: dict[str, str],
    model: str,
    earlier: Store | None,
    read: tuple[str, ...] = (),
) -> bool:
    """`mend`, with this run's own way to load."""
    return mend(store, config, templates, model, lambda aside: _load(aside, config, earlier), read)


def _load(store: Store, config: RunConfig, earlier: Store | None) -> None:
    say(f"taking over the problems of {earlier.uri}" if earlier else f"reading {_named(config)}")
    take_over(store, earlier) if earlier else load_problems(store, config)


def _annotate_pending(
    store: Store,
    config: RunConfig,
    templates: dict[str, str],
    model: str,
    total: int,
    pending: int,
    files: Sequence[str],
) -> None:
    say(f"{pending:,} of {total:,} problems to annotate: starting Ray and {_engines(config)}")
    keep_times(store)
    store.clear("progress")
    # Whoever calls again may have mended what the engines died of.
    store.clear("attempts")
    absolute = config.model_copy(update={"run_dir": store.uri if not store.local else store.root})
    before, _ = ledger_tally(store, config.label)
    check_limits(store, config, before)
    if pending < total:
        note_earlier_engines(store, config, model)
    with (
        one_line_io_errors(store.uri),
        ray_session(config),
        progress_bar(store, total, total - pending, before, config.engine.bounds[1]),
        within_limits(store, config, before, total - pending),
        within_budget(store, config.budget),
        hangs_ended(store, config.engine.timeout_s),
    ):
        annotate_problems(store, endable(absolute), templates, model, files, before)


def _named(config: RunConfig) -> str:
    names = [source.name for source in config.sources]
    return f"the source {names[0]}" if len(names) == 1 else f"{len(names)} sources"


def _engines(config: RunConfig) -> str:
    one = config.engine.bounds == (1, 1)
    count = config.engine.replicas if isinstance(config.engine.replicas, int) else "the"
    return f"{'the engine' if one else f'{count} engines'} ({policy_name(config.engine)})"
