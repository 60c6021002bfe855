"""`visualprm judge RUN|DATASET --with FILE`: brings a ledger of judgements to its end. The same command goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pipeline import origin
from pipeline.cluster.session import ray_session
from pipeline.config import EngineConfig, RunConfig
from pipeline.config.engine import DRAWN_WITH
from pipeline.engine.number_type import decided
from pipeline.engine.policy import check_start, model_fingerprint, policy_name
from pipeline.errors import StartError, UserError
from pipeline.inputs import read_input
from pipeline.settings import dump_settings, load_settings
from pipeline.store import Store, json_text, one_line_io_errors
from pipeline.store.dataset_files import is_dataset
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say
from pipeline.version import version
from stages.annotate.damage import check_run
from stages.annotate.engines import keep_notes
from stages.annotate.graph import run_graph
from stages.annotate.progress import progress_bar
from stages.annotate.watch import hangs_ended
from stages.judge.budget import Spent, check_budget, within_budget
from stages.judge.config import JudgeConfig, JudgingConfig
from stages.judge.judge import Judge, with_schemas
from stages.judge.ledgers import Judged
from stages.judge.of_dataset import JudgedDataset
from stages.judge.of_run import JudgedRun
from stages.judge.summary import Summary, summed_up
from stages.judge.trial import check_schema

_MEND = "restore them, or give the judge another name"


class ToJudge(Judged, Protocol):
    """What judging needs to know of the solutions that it is about."""

    def settings(self) -> RunConfig:
        """Those that the judge's own run begins with."""
        ...

    def written_by(self, engine: EngineConfig, model: str) -> bool:
        """Whether the judge wrote the solutions itself."""
        ...

    def take_over(self, store: Store, judging: JudgingConfig) -> None:
        """Fills the judge's directory with problems, of which each names the file that holds its solutions."""
        ...


def to_judge(place: str) -> ToJudge:
    """
    Raises:
        UserError: neither a run nor a dataset is there.
    """
    run = Store(place)
    if run.exists("problems.json"):
        return JudgedRun(run)
    if is_dataset(place):
        return JudgedDataset(place)
    raise UserError(
        f"{place}: no run with loaded problems and no dataset is here; `visualprm dataset CONFIG` makes both"
    )


def judge_solutions(place: str, settings: str, overrides: Sequence[str]) -> Summary:
    """Judges every solution of a finished run or of a published dataset that is not judged yet.

    Raises:
        UserError: nothing is there, it is not finished or damaged, the judgements there are of other settings, the judge's
            servers don't answer by a schema, or the budget is spent.
        StartError: problems are left over.
    """
    judged = to_judge(place)
    config = load_settings(JudgeConfig, settings, overrides)
    config = config.model_copy(update={"engine": with_schemas(config.engine)})
    template = read_template(config)
    held = judged.settings()
    store = Store(judged.home.address(config.name))
    config = config.model_copy(update={"engine": decided(config.engine, _recorded_dtype(store), config.ray.address)})
    check_start(config.engine, config.ray.address, continues=False)
    if config.engine.kind == "server" and config.ray.address is None:
        asyncio.run(check_schema(config.engine))
    model = model_fingerprint(config.engine)
    if judged.written_by(config.engine, model):
        say(f"warning: {policy_name(config.engine)} wrote these solutions itself: it tends to find its own steps right")
    store.make()
    with store.lock(), quiet(store.address("logs")):
        check_run(store, "remove this folder, and judge again")
        _lock_settings(store, judged.key(), config, template, model)
        if not store.exists("problems.json"):
            say(f"taking over the problems of {judged.uri}")
            judged.take_over(store, config.judge)
        own = held.model_copy(
            update={
                "engine": config.engine,
                "ray": config.ray,
                "seed": config.seed,
                "run_dir": store.uri if not store.local else store.root,
            }
        )
        _judge_pending(store, own, config, template, model)
        keep_notes(store)
        return summed_up(store)


def read_template(config: JudgeConfig) -> str:
    """The text of the judge's prompt.

    Raises:
        UserError: it is not there, or the judge would not see what it is to judge.
    """
    name = config.judge.prompt
    text = read_input("judge.prompt", name, config.folders)
    for slot in ("{question}", "{steps}", *(["{answer}"] if config.judge.show_answer else [])):
        if slot not in text:
            raise UserError(f"judge.prompt: {name} has no {slot}, so the judge would not see it: add it")
    return text


def _recorded_dtype(store: Store) -> str | None:
    found = (origin.noted(store, "ledger.json", _MEND) or {}).get("engine.dtype")
    return found if isinstance(found, str) else None


def _lock_settings(store: Store, key: str, config: JudgeConfig, template: str, model: str) -> None:
    """Ties the folder to the settings that judgements depend on, and by `key` to the solutions that they are of."""
    engine = config.engine
    wanted: dict[str, Any] = {
        "engine.kind": engine.kind,
        "engine.model": model,
        # Arguments for the chat template are there only if it has some.
        **{f"engine.{name}": value for name, value in engine.model_dump(include=set(DRAWN_WITH)).items()},
        "engine.args": engine.drawing_args,
        "seed": config.seed,
        **{f"judge.{name}": value for name, value in config.judge.asked.items()},
        "prompt text": template,
        "ledger": key,
    }
    if held := origin.noted(store, "ledger.json", _MEND):
        if engine.kind == "server":
            # It was recorded of servers for a while, and says nothing of what they do.
            wanted, held = ({**one, "engine.args": _heeded(one.get("engine.args"))} for one in (wanted, held))
        origin.check(store.uri, held, wanted, _MEND)
        return
    store.write_text("config.yaml", dump_settings(config))
    store.write_text("ledger.json", json_text(wanted))


def _heeded(args: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of a server's `engine.args`: those without how it writes by a schema, which is set where it is started."""
    return {key: value for key, value in (args or {}).items() if key != "structured_outputs_config"}


def _judge_pending(store: Store, own: RunConfig, config: JudgeConfig, template: str, model: str) -> None:
    held = {path: store.ids([path]) for path in store.problem_files()}
    problems, done = set().union(*held.values()), store.done_ids()
    pending = len(problems - done)
    if not pending:
        return
    summary = summed_up(store)
    before = Spent(summary.prompt_tokens, summary.tokens)
    check_budget(store, config.judge, before)
    say(f"{pending:,} of {len(problems):,} problems to judge: starting Ray and {policy_name(config.engine)}")
    for folder in ("progress", "attempts"):
        store.clear(folder)
    files = [path for path, ids in held.items() if not ids <= done]
    with (
        one_line_io_errors(store.uri),
        ray_session(own),
        progress_bar(store, len(problems), len(problems) - pending, engines=own.engine.bounds[1], what="answers"),
        hangs_ended(store, own.engine.timeout_s),
        within_budget(store, config.judge, before),
    ):
        run_graph(store, own, files, Judge, (own, config.judge, template, model, version(), before))
    if left := len(problems - store.done_ids()):
        raise StartError(f"{store.uri}: {left} problems are still not judged")
