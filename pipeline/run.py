"""The dataset run: load, annotate, publish; each part does only what is still missing."""

from __future__ import annotations

import sys
import time

from pipeline.claim import check_earlier, claim, read_templates
from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.given import take_over
from pipeline.graph import annotate_problems, ray_session
from pipeline.judging import check_reference
from pipeline.loading import load_problems
from pipeline.policy import check_engine, model_fingerprint
from pipeline.progress import clock, current_rate, progress_bar
from pipeline.publication import check_sections, publish_run
from pipeline.responses import fingerprint
from pipeline.shards import check_output
from pipeline.store import Store, one_line_io_errors, open_uri


def run_dataset(config: RunConfig) -> None:
    """Brings a run to its end, from wherever it stands.

    Raises:
        UserError: settings, files or the disk don't allow it.
    """
    started = time.time()
    templates = read_templates(config)
    check_engine(config.engine)
    model = model_fingerprint(config.engine) + fingerprint(config)
    store = Store(config.run_dir)
    check_sections(config)
    check_reference(config)
    earlier = Store(config.input.ledger) if config.input.ledger else None
    if earlier:
        check_earlier(earlier, config, templates, model)
    store.make()
    with store.lock():
        filesystem, out = open_uri(config.output_dir)
        check_output(out, filesystem)
        problems, pending = complete_ledger(store, config, templates, model, earlier)
        fresh = publish_run(store, config, force=False)
    if not pending and not fresh:
        print(f"nothing to do: {problems} problems are done and published in {config.output_dir}")
    else:
        print(_closing(store, config, started))


def complete_ledger(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, earlier: Store | None = None
) -> tuple[int, int]:
    """Loads and annotates what is still missing, under the store's lock: (problems, of these annotated now).

    The problems come from the `earlier` run, if there is one, instead of the sources.

    Raises:
        UserError: the directory belongs to other settings, no row is usable, or problems are left over.
    """
    claim(store, config, templates, model)
    if not store.exists("problems.json"):
        take_over(store, earlier) if earlier else load_problems(store, config)
    store.drop_orphans()
    problems, done = store.problem_ids(), store.done_ids()
    if not problems:
        raise UserError(f"{store.uri}: no source gave a usable problem; quarantine/ says why for each row")
    if pending := len(problems - done):
        _annotate_pending(store, config, templates, model, len(problems), pending)
        if left := len(problems - store.done_ids()):
            raise UserError(f"{store.uri}: {left} problems are still not done: run the same command again")
    return len(problems), pending


def _annotate_pending(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, total: int, pending: int
) -> None:
    print(f"{pending} of {total} problems to annotate", file=sys.stderr)
    store.clear("progress")
    # Whoever calls again may have mended what the engines died of.
    store.clear("attempts")
    absolute = config.model_copy(update={"run_dir": store.uri if not store.local else store.root})
    with one_line_io_errors(store.uri), ray_session(config), progress_bar(store, total, total - pending):
        annotate_problems(store, absolute, templates, model)


def _closing(store: Store, config: RunConfig, started: float) -> str:
    rate = current_rate(store, since=started)
    speed = f", {rate.tokens_per_s:,.0f} tokens/s while the engine ran" if rate.tokens_per_s else ""
    return f"{clock(time.time() - started)} in all{speed}; dataset in {config.output_dir}"
