"""The dataset run: load, annotate, publish; each part does only what is still missing."""

from __future__ import annotations

import time

import pyarrow as pa

from pipeline.config import RunConfig
from pipeline.engine.policy import check_start, model_fingerprint
from pipeline.inputs import located
from pipeline.store import Store, open_uri
from pipeline.terminal.bar import clock
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from stages.annotate.complete import complete_ledger, mend_run
from stages.annotate.damage import all_of, damage_named
from stages.annotate.progress import current_rate, where_engines_ran
from stages.annotate.settings_lock import check_earlier, read_templates, with_number_type
from stages.load.given_responses import fingerprint
from stages.publish.dataset import publish_run
from stages.publish.published import is_published
from stages.publish.sections import check_sections
from stages.publish.shards import check_output
from stages.split import check_kind
from stages.verify.of_run import check_reference


def run_dataset(config: RunConfig) -> None:
    """Brings a run to its end, from wherever it stands.

    Raises:
        UserError: settings, files or the disk don't allow it.
    """
    started = time.time()
    templates = read_templates(config)
    check_start(config.engine, config.ray.address, continues=config.rollout.num_draws > 0)
    store = Store(config.run_dir)
    earlier = Store(located(config.input.ledger, config.input.folders)) if config.input.ledger else None
    config = with_number_type(config, store, earlier)
    model = model_fingerprint(config.engine) + fingerprint(config)
    check_sections(config)
    check_kind(config.split.kind)
    check_reference(config)
    if earlier:
        check_earlier(earlier, config, templates, model)
    store.make()
    with store.lock(), quiet(store.address("logs")):
        filesystem, out = open_uri(config.output_dir)
        check_output(out, filesystem)
        problems, pending = complete_ledger(store, config, templates, model, earlier)
        try:
            fresh = not is_published(store, config)
        except (OSError, ValueError, pa.ArrowException):
            # A ledger file of the right size that can't be read: it is mended next.
            fresh = True
        if fresh:
            say(
                f"{pending:,} problems annotated after {clock(time.time() - started)}; publishing"
                if pending
                else "publishing"
            )
            # Whatever a disk has changed since it was written must not be published.
            if mend_run(store, config, templates, model, earlier, all_of(store)):
                pending += complete_ledger(store, config, templates, model, earlier)[1]
            with damage_named(store):
                publish_run(store, config)
        if not pending and not fresh:
            tell(f"nothing to do: {problems} problems are done and published in {config.output_dir}")
        else:
            tell(_closing(store, config, started))


def _closing(store: Store, config: RunConfig, started: float) -> str:
    rate = current_rate(store, since=started)
    speed = f", {rate.tokens_per_s:,.0f} tokens/s while the engine ran" if rate.tokens_per_s else ""
    ran = where_engines_ran(store, started)
    return f"{clock(time.time() - started)} in all{speed}{f'; {ran}' if ran else ''}; dataset in {config.output_dir}"
