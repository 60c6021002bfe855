"""Ties a run directory to the settings that its ledger depends on."""

from __future__ import annotations

from typing import Any

from pipeline import origin
from pipeline.config import RunConfig, ledger_view, parse_config
from pipeline.engine.number_type import decided
from pipeline.errors import RowError, UserError
from pipeline.inputs import read_input, searched
from pipeline.settings import dump_settings
from pipeline.store import Store, full, json_text
from stages.annotate.sample import CLOSING, Template
from stages.split import steps_of
from stages.split.thinking import closes


def read_templates(config: RunConfig) -> dict[str, str]:
    """The texts of all prompt files that the sources name.

    Raises:
        UserError: a file is missing or holds no `{question}`.
    """
    templates = {}
    for name in sorted({source.prompt or config.prompt for source in config.sources}):
        text = read_input("prompt", name, config.folders)
        if "{question}" not in text:
            raise UserError(f"prompt: {name} has no {{question}}, so the policy would not see the question: add it")
        if config.sampling.max_thinking_tokens is not None:
            _check_closing(name, Template(text).closing or "", config)
        templates[name] = text
    return templates


def _check_closing(name: str, closing: str, config: RunConfig) -> None:
    """Refuses a text that does not close the thinking, or would be cut: no policy wrote what such a step would measure."""
    if not closes(closing):
        raise UserError(
            f"prompt: {name} has no text that closes the thinking, which sampling.max_thinking_tokens needs: add a last part "
            f"`{CLOSING}` with a text that holds `</think>`, or take prompts/thinking_v1.txt"
        )
    try:
        pieces = steps_of(closing, config.split.model_copy(update={"opened": True}), max_steps=len(closing))
    except RowError:
        # A function of the user's that cuts whole responses alone.
        return
    if (number := sum(not piece.context for piece in pieces)) > 1:
        raise UserError(
            f"prompt: {name}: split.kind={config.split.kind} cuts the text that closes the thinking into {number} steps, "
            "which no policy wrote: write it as one step, or set another split.kind"
        )


def with_number_type(config: RunConfig, *runs: Store | None) -> RunConfig:
    """The settings with the type that `engine.dtype: auto` stands for: the first of `runs` that has one recorded decides."""
    found = (_recorded_dtype(run) for run in runs if run is not None)
    recorded = next((dtype for dtype in found if dtype), None)
    return config.model_copy(update={"engine": decided(config.engine, recorded, config.ray.address)})


def _recorded_dtype(run: Store) -> str | None:
    """Null where the run recorded none yet, or where the file is damaged, which is told once the run is looked at."""
    try:
        found = run.read_json("ledger.json")["engine.dtype"]
        return found if isinstance(found, str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def lock_settings(store: Store, config: RunConfig, templates: dict[str, str], model: str) -> None:
    """Writes the settings into a run directory that holds nothing yet, or compares them with those of what it holds.

    A call that ended before a row was loaded, over a wrong path say, binds nothing.

    Raises:
        UserError: the directory holds a ledger made with other settings; names the keys that differ.
    """
    wanted = _ledger_keys(config, templates, model)
    known = store.exists("ledger.json") and _holds_something(store)
    if known:
        origin.check(store.uri, _held(store), wanted, "restore them or give the run another name")
    texts = settings_texts(config, templates, model)
    store.write_text("config.yaml", texts["config.yaml"])
    if not known:
        store.write_text("ledger.json", texts["ledger.json"])


def _holds_something(store: Store) -> bool:
    return store.exists("problems.json") or bool(store.problem_files() or store.checkpoint_files())


def settings_texts(config: RunConfig, templates: dict[str, str], model: str) -> dict[str, str]:
    """The files of a run directory that follow from the settings alone: name → content."""
    # `publish` may be called from another folder, and must find the same place.
    found = config.model_copy(update={"output_dir": full(config.output_dir)})
    return {
        "config.yaml": dump_settings(found),
        "ledger.json": json_text(_ledger_keys(config, templates, model)),
    }


def check_earlier(earlier: Store, config: RunConfig, templates: dict[str, str], model: str) -> None:
    """Only a run of the same problems, policy, steps and seed can be gone on with; the strategy may differ.

    Raises:
        UserError: there is no such run, or its settings differ; names the keys.
    """
    if not (earlier.exists("ledger.json") and earlier.exists("problems.json")):
        places = searched(config.input.ledger or "", config.input.folders)
        raise UserError(
            f"input.ledger: {earlier.uri}: no run with loaded problems is here{places}; name a run directory"
        )
    held, wanted = _without_strategy(_held(earlier)), _without_strategy(_ledger_keys(config, templates, model))
    mend = "use its own, only the strategy and its parameters may change"
    origin.check(f"input.ledger: {earlier.uri}", held, wanted, mend)


def _ledger_keys(config: RunConfig, templates: dict[str, str], model: str) -> dict[str, Any]:
    wanted = {**ledger_view(config), "engine.model": model}
    return wanted | {f"prompt text of {name}": text for name, text in templates.items()}


def _held(store: Store) -> dict[str, Any]:
    """What a run was made with. Where the run recorded no value for a setting (it is newer than the run), its default holds."""
    mend = "restore this file, or give the run another name"
    settings = parse_config(origin.noted(store, "config.yaml", mend) or {}, origin=store.uri)
    return {**ledger_view(settings), **(origin.noted(store, "ledger.json", mend) or {})}


def _without_strategy(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys that two runs on one ledger share; where solutions come from is named by `responses_policy` alone."""
    alike = ("rollout.complete_prefix", "input.responses_policy")
    return {
        key: value
        for key, value in keys.items()
        if key in alike or not (key == "name" or key.startswith(("rollout.", "input.")))
    }
