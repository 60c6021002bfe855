"""From what a problem needs to what all of them need: solutions, draws, tokens, bytes, hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.plan.amount import ZERO, Amount
from stages.plan.chains import Spent


@dataclass(frozen=True, slots=True)
class Need:
    """What a source, or a whole run, needs."""

    problems: int
    solutions: int
    images: Amount
    steps: Amount
    draws: Amount
    prompt: Amount
    """Tokens of all prompts and prefixes, as often as they are asked for."""
    prefill: Amount
    """Of these, the tokens that the engine computes: with a prefix cache each problem's images and text and each solution
    once, without one all of them."""
    generated: Amount
    """Tokens of solutions and draws."""
    disk: Amount
    """Bytes: images in problems and dataset, and the ledger."""

    def __add__(self, other: Need) -> Need:
        return Need(
            self.problems + other.problems,
            self.solutions + other.solutions,
            self.images + other.images,
            self.steps + other.steps,
            self.draws + other.draws,
            self.prompt + other.prompt,
            self.prefill + other.prefill,
            self.generated + other.generated,
            self.disk + other.disk,
        )


NOTHING = Need(0, 0, *[ZERO] * 7)


@dataclass(frozen=True, slots=True)
class PerProblem:
    """What a source's rows and images say of one problem."""

    images: Amount
    image_bytes: Amount
    prompt_tokens: Amount
    """Question, prompt file and images."""


@dataclass(frozen=True, slots=True)
class PerSolution:
    """What a strategy spends on one solution, on average; ranges are as wide as the statistics behind them."""

    steps: Amount
    draws: Amount
    generated: Amount
    own: Amount
    """Tokens of the solution itself, which is part of `generated`."""
    prefixes: Amount


def per_solution(spent: Sequence[Spent], steps: Sequence[int], own: Sequence[float], of_steps: Amount, of_tokens: Amount
) -> PerSolution:  # fmt: skip
    """Means over simulated solutions, scaled.

    Args:
        spent, steps, own: of each solution what it cost, its number of steps, its own tokens.
        of_steps: by what the number of steps may differ from the simulated solutions' (1 for not at all).
        of_tokens: and the tokens of a step.
    """
    count = len(spent)
    tokens = of_steps * of_steps * of_tokens  # draws are as many as steps, and their lengths too
    return PerSolution(
        of_steps * (sum(steps) / count),
        of_steps * (sum(each.draws for each in spent) / count),
        tokens * (sum(each.generated for each in spent) / count),
        of_steps * of_tokens * (sum(own) / count),
        tokens * (sum(each.prefixes for each in spent) / count),
    )


def need(
    problems: int,
    num_solutions: int,
    problem: PerProblem,
    solution: PerSolution,
    bytes_per_token: Amount,
    reuses: bool = True,
) -> Need:
    """All that a source needs; `reuses` is whether prefixes are found again in the engine's cache."""
    solutions = problems * num_solutions
    draws = solution.draws * solutions
    generated = solution.generated * solutions
    prompt = problem.prompt_tokens * (draws + Amount.exact(solutions)) + solution.prefixes * solutions
    return Need(
        problems,
        solutions,
        problem.images * problems,
        solution.steps * solutions,
        draws,
        prompt,
        problem.prompt_tokens * problems + solution.own * solutions if reuses else prompt,
        generated,
        problem.image_bytes * (2 * problems) + generated * bytes_per_token,
    )


def hours_at_rate(what: Need, tokens_per_second: Amount) -> Amount:
    """Engine-hours at a measured rate of generated tokens, in which the prefill that went with them is included."""
    return what.generated / (tokens_per_second * 3600)


def hours_by_compute(what: Need, parameters: float, flops: Amount) -> Amount:
    """Engine-hours at 2 floating-point operations per parameter and token, `flops` a second."""
    return (what.generated + what.prefill) * (2 * parameters) / (flops * 3600)


def decoder_parameters(text: dict[str, int]) -> float:
    """Parameters that every token passes through in a dense decoder, from the config of the language model."""
    hidden, heads = text["hidden_size"], text["num_attention_heads"]
    head = text.get("head_dim") or hidden // heads
    attention = hidden * head * (2 * heads + 2 * text.get("num_key_value_heads", heads))
    layer = attention + 3 * hidden * text["intermediate_size"]
    return float(text["num_hidden_layers"] * layer + text["vocab_size"] * hidden)
