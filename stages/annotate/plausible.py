"""Results that cannot be right: the one place that decides, from counts alone, and says where to look.

The progress line, the summary, the card and `visualprm status` show what is found here; `limits.*` end a run by the same
rules with other bounds. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.config import RunConfig
from stages.annotate.tally import Answers, Tally
from stages.label import UNJUDGED

JUDGED_FROM = 50
"""Problems that must be done before `rollout.max_truncated` ends a run."""
NAMED = 5
"""Sources that a warning names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on results count as wrong; what is null is not looked at."""

    truncated: float | None = 0.25
    """The largest share of draws that the token limit may cut."""
    no_answer: float | None = 0.5
    """The largest share of draws without an answer."""
    verdict_errors: float | None = 0.1
    """The largest share of draws that the verifier failed to judge."""
    none_right: int | None = 20
    """Answers of a source of which one at least must be right."""
    few_right: float | None = 0.01
    """The share of right answers below which a source's labels mean nothing: as many wrong answers the verifier may
    accept (7 of 1,483 in docs/verdicts.md, and up to 1.0 % by the interval of these). Were those all, then at threshold 0
    one wrong step in seven would be labelled right: 1 − 0.99¹⁶."""
    positive: bool = True
    """Whether one step at least must have the label `+`."""
    draws: int = 20
    """Draws (answers, for labels) below which nothing is said."""
    problems: int = 5
    """Problems of a single source below which nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be wrong."""

    name: str
    statuses: frozenset[str]
    """Verdicts that count as it; none where it is not a share."""
    what: str
    """As it is told; of a share, behind `61% of draws`."""
    look: str
    """What to look at."""


NONE_RIGHT = Kind(
    "none_right",
    frozenset(),
    "no right answer",
    "compare golds and answers in a few rows (`visualprm check CONFIG` judges each gold, `visualprm show DATASET` prints "
    "rows), then `gold` and `verify` of the source, the prompt, and whether the policy gets the pictures",
)
FEW_RIGHT = Kind(
    "few_right",
    frozenset(),
    "are right",
    "the verifier accepts about as many wrong answers by mistake, so the labels may mean nothing; " + NONE_RIGHT.look,
)
NO_POSITIVE = Kind(
    "no_positive",
    frozenset(),
    "no step has the label +",
    "a reward model learns nothing from this: look at label.threshold, then at what keeps answers from being right",
)
CUT = Kind(
    "truncated",
    frozenset({"truncated"}),
    "are cut at the token limit",
    "a continuation that was cut says nothing of the steps before it: raise sampling.max_tokens (and "
    "engine.max_model_len with it), which takes a run of another name",
)
SHARES = (
    CUT,
    Kind(
        "no_answer",
        frozenset({"no_answer"}),
        "hold no answer",
        "read a few (`visualprm show DATASET`): does the prompt ask for a form that can be found, as `Final answer: …`, does "
        "the policy follow it, and do the source's `verify` modes read it?",
    ),
    Kind(
        "verdict_errors",
        frozenset(UNJUDGED),
        "could not be judged",
        "give the verifier more time or memory: verify.time_limit_s, fewer verify.workers; `visualprm publish RUN` judges "
        "them once more",
    ),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What cannot be right: `count` of `of` draws, or none of `of` answers, in the `sources` named or overall."""

    kind: Kind
    count: int
    of: int
    sources: tuple[str, ...] = ()
    overall: bool = False
    """Whether it holds of all draws taken together; then `sources` are those in which it holds by itself."""
    limit: str = ""
    """The setting that ends a run for it."""

    @property
    def short(self) -> str:
        """For a line that says other things, too."""
        if self.kind is FEW_RIGHT:
            return f"{self.count / self.of:.1%} of answers {self.kind.what}{self._where()}"
        share = f"{self.count / self.of:.0%} of draws " if self.kind in SHARES else ""
        return f"{share}{self.kind.what}{self._where()}"

    @property
    def text(self) -> str:
        """Counts, sources, and what to look at, in one line."""
        if self.kind in SHARES:
            fact = f"{self.count:,} of {self.of:,} draws ({self.count / self.of:.1%}) {self.kind.what}{self._where()}"
        elif self.kind is FEW_RIGHT:
            share = f"{self.count:,} of {self.of:,} solutions and continuations ({self.count / self.of:.1%})"
            fact = f"{share} {self.kind.what}{self._where()}"
        else:
            fact = f"{self.kind.what}{self._where()}, in {self.of:,} solutions and continuations"
        return f"{fact}: {self.kind.look}"

    def _where(self) -> str:
        if not self.sources:
            return ""
        more = len(self.sources) - NAMED
        names = ", ".join(self.sources[:NAMED]) + (f" and {more} more" if more > 0 else "")
        return f", above all in {names}" if self.overall and self.kind in SHARES else f" in {names}"


def find(tally: Tally, bounds: Bounds | None = None) -> list[Finding]:
    """What cannot be right in these counts, in a fixed order; empty where all may be well or too little is there."""
    bounds = bounds or Bounds()
    total = tally.total()
    found = [_none_right(tally, bounds), _few_right(tally, bounds), _no_positive(tally, total, bounds)]
    found += [_share(kind, getattr(bounds, kind.name), tally, total, bounds) for kind in SHARES]
    return [finding for finding in found if finding is not None]


def of_statistics(figures: Mapping[str, Any]) -> Tally:
    """The tally of published `stats.json` figures (`stages/publish/stats.py`)."""
    sources = {
        name: Answers(one["problems"], Counter(one["responses"]), Counter(one["draws"]))
        for name, one in figures["sources"].items()
    }
    share = figures["total"]["incorrect_step_share"]
    return Tally(sources, share is not None and share < 1)


def over_limits(tally: Tally, config: RunConfig) -> Finding | None:
    """What ends the run early by `limits.*`: a share of all draws, or a source without a right answer.

    A run without continuations has no limits: its solutions are what it is for.
    """
    limits = config.limits
    if config.rollout.num_draws == 0:
        return None
    if found := too_many_cut(tally, config):
        return found
    if not limits.are_set:
        return None
    bounds = Bounds(
        limits.truncated,
        limits.no_answer,
        limits.verdict_errors,
        limits.none_right,
        few_right=None,
        positive=False,
        draws=limits.min_draws,
    )
    found = next((one for one in find(tally, bounds) if one.overall or one.kind is NONE_RIGHT), None)
    return found and replace(found, limit=f"limits.{found.kind.name}")


def too_many_cut(tally: Tally, config: RunConfig) -> Finding | None:
    """What keeps a run from beginning another problem by `rollout.max_truncated`, and ends it."""
    most = config.rollout.max_truncated
    if most is None or config.rollout.num_draws == 0:
        return None
    total = tally.total()
    cut, draws = total.draws["truncated"], total.draws.total()
    if total.problems < JUDGED_FROM or cut <= most * draws:
        return None
    return Finding(CUT, cut, draws, (), True, "rollout.max_truncated")


def ended_early(finding: Finding, config: RunConfig) -> str:
    """The one line about a run that a limit ended; it names the settings to raise."""
    key = finding.limit
    group, _, name = key.partition(".")
    value = getattr(getattr(config, group), name)
    return (
        f"ended early by {key}={value:g}: {finding.text}; to go on all the same, raise {key} or set it to null, and the "
        "same command resumes"
    )


def _none_right(tally: Tally, bounds: Bounds) -> Finding | None:
    if bounds.none_right is None:
        return None
    wrong = {
        name: answers
        for name, one in sorted(tally.sources.items())
        if one.problems >= bounds.problems
        and (answers := _answers(one)) >= bounds.none_right
        and not one.solutions["correct"]
        and not one.draws["correct"]
    }
    return Finding(NONE_RIGHT, 0, sum(wrong.values()), tuple(wrong)) if wrong else None


def _few_right(tally: Tally, bounds: Bounds) -> Finding | None:
    """The sources with some right answers, but with a share that even at the upper end of its interval is too small."""
    if bounds.few_right is None:
        return None
    few = {
        name: (right, answers)
        for name, one in sorted(tally.sources.items())
        if one.problems >= bounds.problems
        and (answers := _answers(one)) >= bounds.draws
        and (right := one.solutions["correct"] + one.draws["correct"])
        and _upper_end(right, answers) < bounds.few_right
    }
    if not few:
        return None
    right, answers = (sum(numbers) for numbers in zip(*few.values(), strict=True))
    return Finding(FEW_RIGHT, right, answers, tuple(few))


def _upper_end(count: int, of: int) -> float:
    """Of the 95 % interval of a share (Wilson's), as if answers were independent."""
    z = 1.96
    middle, half = count / of + z**2 / (2 * of), z * ((count / of * (1 - count / of) + z**2 / (4 * of)) / of) ** 0.5
    return (middle + half) / (1 + z**2 / of)


def _no_positive(tally: Tally, total: Answers, bounds: Bounds) -> Finding | None:
    if not bounds.positive or tally.positive or _answers(total) < bounds.draws:
        return None
    return Finding(NO_POSITIVE, 0, _answers(total), (), True)


def _share(kind: Kind, bound: float | None, tally: Tally, total: Answers, bounds: Bounds) -> Finding | None:
    """The share over all sources if that is too large; else that of the sources in which it is."""
    if bound is None:
        return None

    def counted(answers: Answers) -> tuple[int, int]:
        draws = _draws(answers)
        return sum(draws[status] for status in kind.statuses), draws.total()

    def is_over(count: int, of: int) -> bool:
        return of >= bounds.draws and count > bound * of

    pairs = {name: counted(one) for name, one in sorted(tally.sources.items()) if one.problems >= bounds.problems}
    over = {name: pair for name, pair in pairs.items() if is_over(*pair)}
    whole = counted(total)
    if is_over(*whole):
        everywhere = len(over) == len(tally.sources)
        return Finding(kind, *whole, () if everywhere else tuple(over), True)
    if not over:
        return None
    count, of = (sum(numbers) for numbers in zip(*over.values(), strict=True))
    return Finding(kind, count, of, tuple(over))


def _draws(answers: Answers) -> Counter[str]:
    """The continuations; a run without any has only its solutions to go by."""
    return answers.draws if answers.draws.total() else answers.solutions


def _answers(answers: Answers) -> int:
    return answers.solutions.total() + answers.draws.total()
