"""The text of docs/reinforcement.md: what each reward came to, against the outcome alone, and where it was gamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from demo.benchmark import problem
from demo.checks.tables import DASH
from demo.rl.judging import LIKED, Json
from demo.rl.numbers import Mean
from demo.rl.plan import LOOKED_AT, MODEL, START, Plan
from demo.rl.recipe import OUTCOME
from demo.rl.results import Results
from demo.rl.train import SPLIT
from pipeline.markdown import counted, markdown_table

NAMES = {
    START: "the policy before",
    OUTCOME: "outcome",
    "min": "PRM, `min`",
    "mean": "PRM, `mean`",
    "ps_grpo": "`ps_grpo`",
    "last": "PRM, `last`",
    "product": "PRM, `product`",
}
SHOWN = (
    ("right", "pass@1", 100),
    ("any_right", "pass@{draws}", 100),
    ("steps", "right steps", 100),
    ("prefixes", "right prefixes", 100),
    ("wrong_way", "right by a wrong way", 100),
    ("num_steps", "steps", 1),
    ("tokens", "tokens", 1),
    ("kl", "KL to the start", 1),
)
"""Measures of the first table: name, head, and what they are multiplied by."""
RARE = (
    ("only_verifier", "end in an answer that the verifier takes for right though it is spelled otherwise"),
    ("cut", "were cut at the limit of tokens"),
    ("unscored", "could not be scored by the reward model"),
)
"""Measures of which the most that any policy has is told."""
COMPARED = ("right", "steps", "prefixes", "wrong_way")
GAMED = (
    ("score", "mean score", 100),
    ("gap", "above the truth", 100),
    ("liked", "liked", 100),
    ("liked_wrong", "liked and wrong", 100),
)


def document(
    results: Results, plan: Plan, seconds: Mapping[str, float], command: str, pictures: Mapping[str, str]
) -> str:
    """The whole report as Markdown.

    Args:
        seconds: task → how long it took.
        pictures: plots in the same folder, by name, and what each shows.
    """
    time, believed = (f"![{shown}]({name})" for name, shown in pictures.items())
    return "\n".join(
        [
            *_introduction(plan, command),
            "## What became of the policy",
            "",
            *HOW_MEASURED,
            "",
            _table(results, SHOWN, plan.draws),
            "",
            *_rare(results),
            "",
            time,
            "",
            "Each line is the mean over seeds of the last ten steps, on the problems that are trained on.",
            "",
            "## Against the outcome alone",
            "",
            "A reward's number less the outcome reward's, problem by problem and seed by seed, in points. *Higher* or *lower*",
            "where the 95 % interval has no 0 in it.",
            "",
            _differences(results, OUTCOME),
            "",
            "## Against the policy before",
            "",
            _differences(results, START),
            "",
            "## What the reward model likes and the oracle doesn't",
            "",
            f"*Liked* is a response whose every step is scored above {LIKED}; *wrong*, one in which something is wrong that the",
            "answer depends on. *Above the truth* is a response's mean score less its share of right prefixes. AUC is the chance",
            "that a step at which all is still right scores above another, over all steps of the draws.",
            "",
            _gamed(results),
            "",
            believed,
            "",
            *_examples(results),
            "## Seeds",
            "",
            "pass@1 and right steps of every seed.",
            "",
            _seeds(results),
            "",
            "## Time",
            "",
            _time(results, seconds),
            "",
            "What came before an interruption is not in the minutes.",
            "",
        ]
    )


def _introduction(plan: Plan, command: str) -> list[str]:
    """What was done, and what the demo can show."""
    recipe = plan.recipe
    return [
        "# What step scores are worth as a reward",
        "",
        f"Written by `{command}`. The demo's policy is trained by TRL's GRPO on problems of the {SPLIT} split, which neither",
        f"the reward model nor the test has seen. The reward model is `{MODEL}` of",
        "[demo/reproduced](../demo/reproduced/README.md), 1,000 problems of another split, served by `visualprm serve` and",
        "asked through `TrlReward` ([rewards.md](rewards.md)). The oracle looks on; no reward knows what it says.",
        "",
        f"- training: {recipe.steps} steps of {recipe.prompts} problems × {recipe.group} responses of at most "
        f"{recipe.max_tokens} tokens; Adam at {recipe.learning_rate:g}, no KL term; all else is TRL's default",
        f"- seeds: {counted(plan.seeds, 'seed')} a reward, the same problems in the same order for each; `"
        + "` and `".join(LOOKED_AT)
        + "` have the first seed alone",
        f"- test: {plan.problems} problems of the test split, {plan.draws} draws each at temperature 1, before and after",
        "",
        "The policy's mistakes were put into it ([its card](../demo/policy/README.md)), and one wrong value makes the answer",
        "wrong: no mistake leads to a right answer by design. So the demo can show what a reward does to answers and",
        "steps, and whether a reward model is gamed; it can hardly show the paper's case for process rewards, a policy that",
        "is right by luck.",
        "",
    ]


HOW_MEASURED = (
    "On the test split. A step is right if it follows from what stands before it, a prefix if nothing is wrong so far that the",
    "answer depends on; both are means over responses of a response's share. A right answer came by a wrong way if the verifier",
    "calls it right and a step before is wrong. Means over problems and seeds with 95 % intervals over both: another set of",
    "problems and other seeds would have given others (`demo/rl/numbers.py`). With one seed, the interval is that of the",
    "problems alone. Shares in %; KL in nats a response.",
)


def _table(results: Results, shown: Sequence[tuple[str, str, int]], draws: int) -> str:
    heads = ("reward", *(head.format(draws=draws) for _, head, _ in shown))
    rows = [
        (NAMES[name], *(cell(results.mean(name, measure), times) for measure, _, times in shown))
        for name in results.evaluated
    ]
    return markdown_table(heads, rows)


def _rare(results: Results) -> list[str]:
    most = [(max(results.mean(name, measure).value for name in results.evaluated), what) for measure, what in RARE]
    return ["Of no policy's responses more than this, as a mean over seeds:", ""] + [
        f"- {100 * share:.1f} % {what}" for share, what in most
    ]


def _differences(results: Results, other: str) -> str:
    heads = [head for name, head, _ in SHOWN if name in COMPARED]
    rows = []
    for name in results.evaluated:
        if name in (START, other):
            continue
        found = [results.difference(name, other, measure) for measure in COMPARED]
        rows.append(
            (NAMES[name], str(len(found[0].by_seed)), *(f"{cell(one, 100, '+')} {one.verdict}" for one in found))
        )
    return markdown_table(("reward", "seeds", *heads), rows)


def _gamed(results: Results) -> str:
    rows = []
    for name, evaluations in results.evaluated.items():
        aucs = [one["auc"] for one in evaluations if one["auc"] is not None]
        auc = f"{100 * sum(aucs) / len(aucs):.1f}" if aucs else DASH
        found = (cell(results.mean(name, measure), times) for measure, _, times in GAMED)
        rows.append((NAMES[name], *found, auc))
    return markdown_table(("reward", *(head for _, head, _ in GAMED), "AUC"), rows)


def _examples(results: Results) -> list[str]:
    """For every policy the wrong response that the reward model likes most."""
    rows = []
    for name, evaluations in results.evaluated.items():
        found: list[Json] = [one for evaluation in evaluations for one in evaluation["liked_most"]]
        if found:
            worst = max(found, key=lambda one: min(one["scores"]))
            steps = " / ".join(
                f"{step} ({score:.2f}{'' if ok else ', wrong'})"
                for step, score, ok in zip(worst["steps"], worst["scores"], worst["prefixes_ok"], strict=True)
            )
            rows.append((NAMES[name], problem(worst["name"]).question.partition("\n")[0], steps))
    if not rows:
        return []
    head = "The wrong response that it likes most, by its lowest score, with the score of each step:"
    return [head, "", markdown_table(("reward", "question", "response"), rows), ""]


def _seeds(results: Results) -> str:
    rows = []
    for name in results.evaluated:
        if name == START:
            continue
        cells = (
            ", ".join(f"{100 * one:.1f}" for one in results.mean(name, measure).by_seed)
            for measure in ("right", "steps")
        )
        rows.append((NAMES[name], *cells))
    return markdown_table(("reward", "pass@1", "right steps"), rows)


def _time(results: Results, seconds: Mapping[str, float]) -> str:
    rows = []
    for name in results.trained:
        step = results.over_time(name, "seconds")
        spent = sum(value for task, value in seconds.items() if task.startswith(f"train-{name}-"))
        rows.append((NAMES[name], f"{np.median(step):.1f}", f"{step.min():.1f}", f"{spent / 60:.1f}"))
    spent = sum(value for task, value in seconds.items() if task.startswith("evaluate-"))
    rows.append(("evaluations", DASH, DASH, f"{spent / 60:.1f}"))
    return markdown_table(("reward", "seconds a step, median", "the quickest", "minutes of the last call"), rows)


def cell(one: Mean, times: int, sign: str = "") -> str:
    """`61.2 [59.0, 63.4]`; a dash for what was not measured."""
    if one.value != one.value:
        return DASH
    digits = 1 if times == 100 or abs(one.value) >= 10 else 2
    value = f"{times * one.value:{sign}.{digits}f}"
    if one.low is None or one.high is None:
        return value
    return f"{value} [{times * one.low:{sign}.{digits}f}, {times * one.high:{sign}.{digits}f}]"
