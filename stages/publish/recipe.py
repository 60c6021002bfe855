"""How a dataset was made, as rows of a table of its card: policies, settings, engines, verifiers, versions. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.config import RunConfig
from pipeline.markdown import Row, code
from stages.publish import label_card
from stages.split.kinds import told


def recipe(figures: Mapping[str, Any], configs: Sequence[RunConfig], versions: Mapping[str, str]) -> list[Row]:
    """Where runs differ, a row says what each of them does."""
    policies = [
        (
            "policy",
            f"{code(item['policy_model'])}, prompt `{item['prompt_sha'][:12]}`, strategy {code(item['strategy'])}: "
            f"{item['solutions']:,} solutions",
        )
        for item in figures["policies"]
    ]
    runs = [row for each in configs for row in _run_recipe(each)]
    return [
        *policies,
        *dict.fromkeys(sorted(runs, key=lambda row: _RUN_ROWS.index(row[0]))),
        ("label", label_card.rule(configs[0].label)),
        *_made_with(figures),
        ("published with", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
    ]


def _made_with(figures: Mapping[str, Any]) -> Iterator[Row]:
    """What drew and what judged, as far as that was noted."""
    for closed in figures.get("closed_thinking", ()):
        yield (
            "thinking",
            f"closed by the prompt file's text after {closed['limit']:,} tokens: {closed['solutions']:,} of "
            f"{closed['of_solutions']:,} solutions, {closed['draws']:,} of {closed['of_draws']:,} continuations",
        )
    for engine in figures.get("engines", ()):
        model = "no model: the text follows from its seeds" if engine["kind"] == "scripted" else code(engine["model"])
        noted = engine["versions"]
        used = ", ".join(f"{name} {text}" for name, text in noted.items() if text) if noted else "versions not recorded"
        yield "engine", f"{engine['kind']}, {model}; {used}"
    if tokens := figures.get("server_tokens"):
        yield "used of servers", f"{tokens['prompt']:,} tokens of prompts, {tokens['completion']:,} tokens written"
    yield from judge_rows(figures)
    for verifier in figures.get("verifiers", ()):
        yield "verifier", f"revision {verifier}" if verifier else "not recorded"


def judge_rows(figures: Mapping[str, Any]) -> list[Row]:
    """Whose judgements labels heed."""
    rows: list[Row] = []
    for judge in figures.get("judges", ()):
        seen = "saw the right answer" if judge["show_answer"] else "did not see the right answer"
        text = f"{code(judge['name'])}: {judge['kind']}, {code(judge['model'])}, prompt {code(judge['prompt'])}"
        rows.append(("judge", f"{text}; {judge['votes']} votes on each solution; {seen}"))
    return rows


_RUN_ROWS = ("chat template", "sampling", "steps", "continuations", "seed")


def _run_recipe(config: RunConfig) -> list[tuple[str, str]]:
    sampling, rollout = config.sampling, config.rollout
    arguments = ", ".join(f"{key}={json.dumps(value)}" for key, value in config.engine.chat_template.items())
    return [
        *([("chat template", f"called with {code(arguments)}")] if arguments else []),
        (
            "sampling",
            f"{sampling.num_solutions} solutions a problem, temperature {sampling.temperature:g}, "
            f"top-p {sampling.top_p:g}, top-k {sampling.top_k or 'off'}, ≤ {sampling.max_tokens} tokens",
        ),
        ("steps", told(config.split)),
        ("continuations", f"{rollout.num_draws} a prefix; last step: `{rollout.complete_prefix}`"),
        ("seed", f"{config.seed}"),
    ]
