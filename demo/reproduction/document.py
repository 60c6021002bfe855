"""The text of docs/reproduction.md: every claim with its verdict, then the tables behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.checks.tables import best_of_n_table, both_truths_table, steps_table
from demo.reproduction.claims import (
    AGGREGATES,
    NAMES,
    WIDE,
    Claim,
    Json,
    Results,
    claims_of_n,
    claims_of_steps,
    claims_of_temperature,
    claims_of_variants,
    claims_of_wide,
    claims_of_wide_choice,
)
from pipeline.markdown import markdown_table

HOW_CLAIMS_ARE_JUDGED = (
    "A claim is that the second of two numbers is higher than the first: of accuracies, or of leads where it is about",
    "one. It is *reproduced* where the 95 % interval of the difference lies above 0, *not reproduced* where it lies",
    "below, else *undecided*; one that the paper doesn't make *holds* or *does not hold*. Differences are paired and",
    "intervals resample problems; they are not widened for the number of claims. *Detectable* is the true difference",
    "that so many problems would have shown with a power of 80 %: an *undecided* claim may hold with a smaller one.",
    "Intervals hold the trained models and the tuned thresholds fixed: every variant was trained once, and another",
    "seed may move a difference by more.",
    "",
    "On steps, right means that everything so far is right, which is what value labels say. That favours them over",
    "advantages, which call what follows an error neither better nor worse, and over stopping at the first error,",
    "which leaves what follows it untaught: those two verdicts on steps follow from the definition more than from",
    "the training. The column of first errors, further down, is free of that.",
    "",
)
FURTHER = (
    "Why a PRM may lose by more candidates, and what mends it, was tried in [best_of_n.md](best_of_n.md#measured-on-the-demo);",
    "what a second seed makes of thresholds, and unseen values of a PRM, in [training_trials.md](training_trials.md);",
    "what step scores are worth as a reward, in [reinforcement.md](reinforcement.md).",
    "",
)
HEADS = ("claim", "paper", "here", "difference", "detectable", "verdict")


@dataclass(frozen=True)
class Corpus:
    """A dataset that reward models learned from."""

    problems: int
    solutions: int
    strategies: str
    draws: int
    tokens: int

    @classmethod
    def read(cls, folder: Path) -> Corpus:
        """What the statistics of a published dataset say of it."""
        stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
        total = stats["total"]
        return cls(
            problems=total["problems"],
            solutions=total["solutions"],
            strategies=", ".join(policy["strategy"] for policy in stats["policies"]),
            draws=sum(total["draws"].values()),
            tokens=total["tokens"],
        )

    def __str__(self) -> str:
        return (f"{self.problems:,} problems, {self.solutions:,} solutions, `{self.strategies}`, {self.draws:,} draws, "
                f"{self.tokens:,} tokens")  # fmt: skip


def document(
    results: Results,
    seconds: Mapping[str, float],
    corpora: Mapping[str, Corpus],
    command: str,
    labels: str,
    pictures: Mapping[str, str],
) -> str:
    """The whole report as Markdown.

    Args:
        seconds: task → how long it took.
        corpora: `dataset`, which every variant shares, and `wide`, where a reward model was trained on it.
        labels: a table of how the Monte Carlo labels agree with the oracle.
        pictures: plots of Best-of-N in the same folder, by name, and what each shows.
    """
    hours = sum(seconds.values()) / 3600
    cool, hot = (pool.temperature for pool in results.pools)
    test = results.pools[0].report["pool"]
    return "\n".join(
        [
            "# The paper's claims, tried on the demo",
            "",
            f"Written by `{command}`. The demo's problems are drawn and its policy is tiny, so what is reproduced here is",
            "the method and its claims in kind, not the paper's numbers. Steps are judged by the demo's exact oracle.",
            "",
            *(f"- {name}: {corpus}" for name, corpus in corpora.items()),
            f"- test: {test['problems']:,} other problems, {test['num_candidates']} candidates each at temperature {cool}, "
            f"as the paper draws them for Best-of-N, and as many at {hot}; the steps to judge are from the latter, which "
            "have more errors",
            "",
            f"All seeds are 0. The tasks' times add up to {hours:.1f} hours; those that train or score run two at a time.",
            "",
            "## Claims",
            "",
            *HOW_CLAIMS_ARE_JUDGED,
            *FURTHER,
            *_all_claims(results, corpora),
            "## Labels",
            "",
            'What the reward models learn from, except for `wide`: "right if any of the draws succeeds" against the oracle, over',
            "all steps of the dataset, by what went wrong first.",
            "",
            labels.strip(),
            "",
            *_tables(results, pictures),
            "## Time",
            "",
            markdown_table(("task", "minutes"), [(name, f"{value / 60:.1f}") for name, value in seconds.items()]),
            "",
        ]
    )


def _all_claims(results: Results, corpora: Mapping[str, Corpus]) -> list[str]:
    """A section a kind of claim."""
    pool, warm = results.pools
    cool, hot = pool.temperature, warm.temperature
    return [
        *_claims("Wrong steps found, macro-F1 (paper: VisualProcessBench)", claims_of_steps(results.bench)),
        *_claims(
            f"Best-of-N at temperature {cool}, accuracy (paper: mean of seven benchmarks, InternVL2.5-8B)",
            claims_of_n(pool),
        ),
        *_claims(f"Best-of-8 at temperature {cool} by variant and aggregate, accuracy", claims_of_variants(pool)),
        *_claims("Best-of-8 by temperature, accuracy", claims_of_temperature(pool, warm)),
        *_claims(f"Best-of-N at temperature {hot}, which is not the paper's, accuracy", claims_of_n(warm)),
        *_wide(results, corpora),
        f"Not tried: temperatures other than {cool} and {hot}, policies other than the one that made the data, and text-only",
        "benchmarks.",
        "",
    ]


def _tables(results: Results, pictures: Mapping[str, str]) -> list[str]:
    """The numbers behind the claims."""
    pool, warm = results.pools
    cool, hot = pool.temperature, warm.temperature
    return [
        "## Wrong steps found",
        "",
        f"Over all steps of the test's first solutions at temperature {hot}, the threshold tuned on a fifth of the problems",
        "and reported on the rest; the difference is to the first row.",
        "",
        steps_table(_named(results.bench)),
        "",
        "## Step or prefix",
        "",
        "The same scores by both truths of the oracle: whether anything is wrong so far that the answer depends on (prefix),",
        "which is what labels of Monte Carlo mean and all of the above is about; and whether a step follows from what stands",
        "before it (step), which is what VisualProcessBench's people were asked. The threshold is tuned for each truth.",
        "",
        both_truths_table(_named(results.bench), _named(results.steps)),
        "",
        f"## Best of 8, every critic, at temperature {cool}",
        "",
        best_of_n_table(pool.report, AGGREGATES, [8]),
        "",
        f"## Best of N, at temperature {cool}",
        "",
        *(line for name, title in pictures.items() for line in (f"![{title}: accuracy over N]({name})", "")),
        best_of_n_table(pool.report),
        "",
        f"## Best of N, at temperature {hot}",
        "",
        best_of_n_table(warm.report),
        "",
    ]


def _named(reports: Mapping[str, Json]) -> dict[str, Json]:
    return {NAMES[name]: report for name, report in reports.items()}


def _claims(head: str, found: Sequence[Claim]) -> list[str]:
    """A section's lines."""
    return [f"### {head}", "", markdown_table(HEADS, [one.row for one in found]), ""]


def _wide(results: Results, corpora: Mapping[str, Corpus]) -> list[str]:
    """The section on more problems, where a reward model was trained on them."""
    if WIDE not in corpora:
        return []
    wide, shared = corpora[WIDE], corpora["dataset"]
    pool, warm = results.pools
    return [
        *_claims("More problems instead of more draws", claims_of_wide(results.bench)),
        *_claims(f"… Best-of-N at temperature {pool.temperature}, accuracy", claims_of_wide_choice(pool)),
        *_claims(f"… Best-of-N at temperature {warm.temperature}, accuracy", claims_of_wide_choice(warm)),
        f"`wide` has {wide.problems / shared.problems:.1f} × the problems and solutions for "
        f"{wide.tokens / shared.tokens:.2f} × the generated tokens. `right_to_left` draws for wrong solutions only, from the "
        "last step back, and takes what comes before a success as right. Families with few possible problems repeat some of "
        "them in other drawings. `wide` was trained for as many epochs as `value`, `wide-short` for about as many steps.",
        "",
    ]
