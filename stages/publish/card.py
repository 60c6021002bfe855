"""Card: says of a published dataset what is in it and how it was made. Pure text from plain counts.

The card and the summary at the end of a run are made from the statistics of `stages/publish/stats.py`. Nothing
here depends on the clock, the machine or how often the run was interrupted, so that the files of two equal
runs are equal. What wasn't measured is null.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from pipeline.config import LEDGER_FREE, LabelConfig, RunConfig
from pipeline.engine.policy import policy_name
from pipeline.markdown import code, code_block, markdown_table, quoted
from pipeline.records import VERDICT_STATUSES
from stages.annotate.engines import noted_opened
from stages.annotate.plausible import find, of_statistics
from stages.publish import label_card
from stages.publish.recipe import recipe
from stages.publish.stats import statistics

COLUMNS = {
    "id": "`<problem>/<policy>/s<index>`; rows are in this order, and a problem's rows stand together",
    "source": "the benchmark that the problem comes from",
    "images": "the problem's images; each one's `path` is the SHA-256 of its bytes",
    "question": "the source's question, with its options; `<image>` marks where an image belongs",
    "prompt": "the prompt as the policy saw it",
    "answer": "the right answer",
    "response": "the solution that the policy wrote; its steps rejoin to exactly this text",
    "steps_with_score": "one entry a step, see below",
    "num_mc_sequences": "continuations drawn from a prefix, as configured",
    "response_answer": "the answer that was found in the response",
    "response_correct": "whether it is right; null if the verifier failed",
    "policy_model": "the model that wrote the response and all its continuations",
    "prompt_sha": "hash of the prompt file",
    "contamination": "benchmarks that the question or an image is also in; null if it was compared with none",
}
JUDGE_COLUMNS = {
    "judge_verdict": "what the judge says of each step: `correct`, `incorrect` or `neutral`; null without a majority of votes",
    "judge_category": "what is wrong with it, as most of these votes have it; `none` where nothing is",
    "judge_votes": "how many votes say so",
}
"""Where labels heed a judge."""
STEP_COLUMNS = {
    "step": "the text of the step; a blank line (`\\n\\n`) between each two gives the response",
    "score": "`num_mc_correct / num_mc_total`; null if not measured",
    "num_mc_correct": "continuations from here that reach the right answer",
    "num_mc_total": "continuations that count",
    "label": label_card.column(LabelConfig()),
    "origin": (
        "`measured` by continuations, `own_answer` of the finished solution, `implied` by a later step that "
        "leads to the right answer, `not_sampled`, or `context`: the part of the response whose steps are not measured"
    ),
}
MISSING = {
    "miss": "Every continuation counts, and every status but `correct` is a miss.",
    "drop": "Only continuations that are `correct` or `incorrect` count.",
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def documents(
    document: Mapping[str, Any],
    config: RunConfig,
    versions: Mapping[str, str],
    sections: Sequence[str] = (),
    more: Sequence[RunConfig] = (),
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """The files that lie beside the shards, by name. `more` are the other runs that went into the dataset.

    `provenance` has the `engines` that drew (`stages/annotate/engines.py`), the `verifiers` that gave verdicts on answers, and
    the `judges` of steps that labels heed.
    """
    figures = {**statistics(document), **(provenance or {})}
    # How the labels and the steps were made, which whoever learns from them must know.
    rule = {"label": config.label.model_dump(mode="json"), "split": _split(config, more, figures)}
    return {
        "README.md": card(figures, config, versions, sections, more),
        "stats.json": stats_json({**figures, **rule}),
    }


def _split(config: RunConfig, more: Sequence[RunConfig], figures: Mapping[str, Any]) -> dict[str, Any]:
    """How solutions were cut: a scorer must cut others so. Runs of one dataset may differ in `max_steps` alone."""
    most = max(each.split.max_steps for each in (config, *more))
    opened = {} if config.split.part == "all" else {"opened": _opened(config, figures)}
    return {**config.split.model_dump(mode="json"), **opened, "max_steps": most}


def _opened(config: RunConfig, figures: Mapping[str, Any]) -> bool:
    """Whether solutions begin inside the thinking: as set, or as an engine noted of its policy's chat template."""
    if config.split.opened is not None:
        return config.split.opened
    return noted_opened(figures.get("engines", ()))


def stats_json(figures: Mapping[str, Any]) -> str:
    """The text of `stats.json`: sorted keys, null where nothing was measured."""
    return json.dumps(figures, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def card(
    figures: Mapping[str, Any],
    config: RunConfig,
    versions: Mapping[str, str],
    sections: Sequence[str] = (),
    more: Sequence[RunConfig] = (),
) -> str:
    """The dataset's README.md. `versions` names libraries; `sections` are Markdown, put before the config.

    `more` are the configurations of the other runs, which have the same labels and name.
    """
    total = figures["total"]
    configs = (config, *more)
    columns, step_columns = COLUMNS, STEP_COLUMNS
    if config.split.kind != "blank_lines":
        columns = {**COLUMNS, "response": "the solution that the policy wrote; its steps stand in it one after another"}
        step_columns = {
            **STEP_COLUMNS,
            "step": "the text of the step; between two there is only white space in the response",
        }
    parts = [
        _front_matter(config.name, total["solutions"]),
        f"# {config.name}",
        f"{_number(total['solutions'])} solutions of {_number(total['problems'])} visual problems, cut into "
        f"{_number(total['steps'])} steps. A step's score is the share of continuations from it that reach "
        "the right answer, as in [VisualPRM](https://arxiv.org/abs/2503.10291).",
        *_warnings(figures),
        '```python\nimport datasets\n\ndatasets.load_dataset("parquet", data_files="train-*.parquet", split="train")\n```',
        "## How it was made\n\n" + markdown_table(("", ""), recipe(figures, configs, versions)),
        "## Sources\n\n" + _source_table(figures, quoted),
        *label_card.section(figures, config.label),
        f"## Verdicts\n\n{MISSING[config.label.missing]}{_cut(total)}\n\n{_verdict_table(figures)}",
        "## Left out\n\n" + _left_out(total),
        *_contamination(total, config),
        "## Columns\n\n"
        + markdown_table(
            ("column", ""),
            [
                (f"`{name}`", text)
                for name, text in {**columns, **(JUDGE_COLUMNS if config.label.needs_judge else {})}.items()
            ],
        ),
        "An entry of `steps_with_score`:\n\n"
        + markdown_table(
            ("field", ""),
            [
                (f"`{name}`", label_card.column(config.label) if name == "label" else text)
                for name, text in step_columns.items()
            ],
        ),
        "## Licence\n\nQuestions and images are under the licences of their sources.",
        *(section.strip() for section in sections),
        *(
            f"<details><summary>{title}</summary>\n\n{code_block(_config_text(each), 'yaml')}\n\n</details>"
            for title, each in zip(_titles(configs), configs, strict=True)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def summary_table(figures: Mapping[str, Any], shown: Callable[[str], str] = str) -> str:
    """What a run prints when it is through: a line of figures, then a table of the sources.

    `shown` makes a source's name, which may be any text, one for where the table will stand.
    """
    total = figures["total"]
    head = (
        f"{_number(total['problems'])} problems · {_number(total['solutions'])} solutions · "
        f"{_number(total['steps'])} steps · {_number(sum(total['draws'].values()))} draws · "
        f"{_number(total['tokens'])} tokens"
    )
    quarantined = sum(total["quarantined"].values())
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in total["quarantined"].items())
    tail = [f"quarantined: {quarantined:,} ({reasons})"] if quarantined else []
    tail += [f"pending: {total['pending']:,}"] if total["pending"] else []
    if total["contaminated"] is not None:
        benchmarks = ", ".join(f"{name} {count:,}" for name, count in total["overlaps"].items())
        tail.append(f"flagged as contaminated: {total['contaminated']:,}" + (f" ({benchmarks})" if benchmarks else ""))
    tail += [f"warning: {found.text}" for found in find(of_statistics(figures))]
    return "\n".join([head, "", _source_table(figures, shown), *tail])


def _warnings(figures: Mapping[str, Any]) -> list[str]:
    """The section on what cannot be right, if there is anything."""
    found = find(of_statistics(figures))
    return (
        ["## Warnings\n\n" + "\n".join(f"- {_first_upper(html.escape(one.text, quote=False))}." for one in found)]
        if found
        else []
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _front_matter(name: str, solutions: int) -> str:
    head = {
        "pretty_name": name,
        "license": "other",
        "license_name": "that-of-the-sources",
        "tags": ["process-reward-model", "visual-reasoning", "multimodal"],
        "size_categories": [next((text for size, text in SIZES if solutions < size), "n>1M")],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---"


def _titles(configs: Sequence[RunConfig]) -> list[str]:
    if len(configs) == 1:
        return ["Configuration"]
    return [
        f"Configuration of run {number}, `{html.escape(policy_name(each.engine))}`"
        for number, each in enumerate(configs, 1)
    ]


def _contamination(total: Mapping[str, Any], config: RunConfig) -> list[str]:
    """The section on overlaps with benchmarks, if there was a comparison."""
    if total["contaminated"] is None or config.contamination is None:
        return []
    rows = [(quoted(name), _number(count)) for name, count in total["overlaps"].items()]
    settings = config.contamination
    text = (
        f"Compared with {', '.join(source.name for source in settings.against)}: images by a perceptual hash (at most "
        f"{settings.max_distance} of 64 bits differ), questions by {settings.ngram} words in a row. "
        f"{_number(total['contaminated'])} of the problems here are flagged in the column `contamination`; such an "
        "overlap is a reason to look, not a proof."
    )
    table = [markdown_table(("benchmark", "problems"), rows)] if rows else []
    return ["\n\n".join(["## Contamination", text, *table])]


def _source_table(figures: Mapping[str, Any], shown: Callable[[str], str]) -> str:
    counts = ("problems", "solutions", "steps")
    shares = ("steps/solution", "mean mc", "incorrect steps", "both labels", "right answers")
    rows = [
        (
            shown(source),
            *(_number(each[name]) for name in counts),
            _decimal(each["mean_steps"], 2),
            _decimal(each["mean_mc"], 4),
            _percent(each["incorrect_step_share"]),
            _percent(each["mixed_solution_share"]),
            _percent(each["correct_response_share"]),
        )
        for source, each in _with_total(figures)
    ]
    return markdown_table(("source", *counts, *shares), rows)


def _verdict_table(figures: Mapping[str, Any]) -> str:
    rows = []
    for source, each in _with_total(figures):
        for kind, counts in (("solutions", each["responses"]), ("continuations", each["draws"])):
            whole = sum(counts.values())
            shares = (_percent(counts[status] / whole if whole else None) for status in VERDICT_STATUSES)
            rows.append((quoted(source), kind, _number(whole), *shares))
    return markdown_table(("source", "of", "count", *VERDICT_STATUSES), rows)


def _cut(total: Mapping[str, Any]) -> str:
    draws, cut = sum(total["draws"].values()), total["draws"]["truncated"]
    if not draws:
        return ""
    return f" {_percent(cut / draws)} were cut at the token limit, and say nothing of the step that they continue."


def _left_out(total: Mapping[str, Any]) -> str:
    rows = [(code(reason), _number(count)) for reason, count in total["quarantined"].items()]
    rows += [("not annotated yet", _number(total["pending"]))] if total["pending"] else []
    return markdown_table(("reason", "problems"), rows) if rows else "Nothing: every problem of every source is here."


def _with_total(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [*figures["sources"].items(), ("all", figures["total"])]


def _config_text(config: RunConfig) -> str:
    """The configuration as YAML, without the keys that say where and how wide a run runs."""
    # Nor what it went on from: the same draws make the same dataset.
    tree = config.model_dump(mode="json", exclude={"input"})
    for key in set(LEDGER_FREE) - {"label", "publish"}:
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node[parent]
        # Limits stand there only if there are any.
        node.pop(last, None)
    if config.engine.kind == "scripted":
        del tree["engine"]["model"]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _decimal(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
