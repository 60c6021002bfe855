"""Measures a demo policy on the test split: `python -m demo.evaluate_policy demo/policy`.

Prints a Markdown table, and with `--card FILE` also puts it between that file's `measured` markers. `--ideal`
measures what the policy imitates, `demo.reasoning.sample_solution`, instead: the best that training can do.
"""

import argparse
import io
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo.benchmark import FAMILIES, DemoProblem, problem, problems
from demo.oracle import judge_steps
from demo.reasoning import FINAL, STEP_SEPARATOR, sample_solution

# (problem, text so far) pairs and a number of draws -> for each pair, the texts and token counts of its draws
Sampler = Callable[[Sequence[tuple[DemoProblem, str]], int], list[list[tuple[str, int]]]]
MARKERS = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)


def is_right(found: DemoProblem, text: str) -> bool:
    """Does the text end with the right answer? The policy writes an answer in one way only."""
    return text.rsplit(FINAL, 1)[-1].strip() == found.written_answer and FINAL in text


def pass_at(k: int, n: int, right: int) -> float:
    """The unbiased estimate of at least one right in k draws, from n draws with `right` right ones."""
    return 1 - math.comb(n - right, k) / math.comb(n, k)


def vote(texts: Sequence[str]) -> str:
    """The text whose answer is the most frequent; the earliest of equals."""
    answers = [text.rsplit(FINAL, 1)[-1].strip() for text in texts]
    winner = Counter(answers).most_common(1)[0][0]
    return texts[answers.index(winner)]


def wrong_prefixes(found: DemoProblem, text: str) -> tuple[list[str], str | None]:
    """The prefixes of a solution that the oracle calls wrong, and the kind of the first wrong step."""
    steps = text.split(STEP_SEPARATOR)
    judged = judge_steps(found.id, steps)
    wrong = [k for k, truth in enumerate(judged) if not truth.prefix_ok]
    prefixes = [STEP_SEPARATOR.join(steps[: k + 1]) + STEP_SEPARATOR for k in wrong if k < len(steps) - 1]
    return prefixes, judged[wrong[0]].kind if wrong else None


def vllm_sampler(model: Path, prompt: str, seed: int) -> Sampler:
    """Draws from a policy folder with vLLM at temperature 1."""
    from vllm import LLM, SamplingParams

    from demo.train_policy import chat_prompt

    engine = LLM(
        str(model), dtype="bfloat16", seed=seed, enforce_eager=True, enable_chunked_prefill=False,
        max_num_batched_tokens=16384, max_model_len=4096, block_size=32, gpu_memory_utilization=0.2,
    )  # fmt: skip

    def sample(begun: Sequence[tuple[DemoProblem, str]], n: int) -> list[list[tuple[str, int]]]:
        requests = [
            {
                "prompt": chat_prompt(prompt.format(question=found.question), expand=False) + text,
                "multi_modal_data": {"image": Image.open(io.BytesIO(found.image()))},
            }
            for found, text in begun
        ]
        outputs = engine.generate(requests, SamplingParams(n=n, temperature=1.0, max_tokens=160))
        return [
            [(text + draw.text, len(draw.token_ids)) for draw in output.outputs]
            for output, (_, text) in zip(outputs, begun, strict=True)
        ]

    return sample


def ideal_sampler(seed: int) -> Sampler:
    """Draws whole solutions from the generator of the training data."""
    rng = random.Random(f"ideal {seed}")

    def sample(begun: Sequence[tuple[DemoProblem, str]], n: int) -> list[list[tuple[str, int]]]:
        return [[(sample_solution(found.plan, rng), 0) for _ in range(n)] for found, _ in begun]

    return sample


@dataclass(frozen=True)
class Row:
    """One line of the report: what was measured, the value as text, on how much."""

    name: str
    value: str
    sample: str


def measure(found: Sequence[DemoProblem], sample: Sampler, wrong: int, seed: int) -> list[Row]:
    """All measured rows; `wrong` is how many wrong prefixes are continued (0 for none)."""
    n = 16
    draws = sample([(p, "") for p in found], n)
    texts = [[text for text, _ in of_one] for of_one in draws]
    right = [sum(is_right(p, text) for text in of_one) for p, of_one in zip(found, texts, strict=True)]
    count, drawn = len(found), f"{len(found)} problems × {n} draws"

    def share(values: Sequence[float]) -> str:
        return f"{100 * sum(values) / max(1, len(values)):.1f} %"

    rows = [Row(f"pass@{k}", share([pass_at(k, n, r) for r in right]), drawn) for k in (1, 8, 16)]
    votes = [is_right(p, vote(of_one[8 * half : 8 * half + 8]))
             for p, of_one in zip(found, texts, strict=True) for half in (0, 1)]  # fmt: skip
    rows.append(Row("self-consistency@8", share(votes), f"{count} problems × 2 votes"))
    for family in FAMILIES:
        of_family = [r / n for p, r in zip(found, right, strict=True) if p.family == family]
        rows.append(Row(f"pass@1, {family}", share(of_family), f"{len(of_family)} problems × {n} draws"))

    judged = [(p, *wrong_prefixes(p, text)) for p, of_one in zip(found, texts, strict=True) for text in of_one]
    first = Counter(kind for _, _, kind in judged if kind)
    for kind in ("reading", "arithmetic", "final", "off_language"):
        share_of_kind = f"{100 * first[kind] / max(1, first.total()):.1f} %"
        rows.append(Row(f"first error: {kind}", share_of_kind, f"{first.total()} wrong solutions"))
    if not wrong:
        return rows

    tokens = [length for of_one in draws for _, length in of_one]
    rows.append(Row("tokens a solution", f"{sum(tokens) / len(tokens):.1f}", f"longest {max(tokens)}"))
    begun = [(p, prefix) for p, prefixes, _ in judged for prefix in prefixes]
    begun = random.Random(seed).sample(begun, min(wrong, len(begun)))
    continued = zip(begun, sample(begun, n), strict=True)
    lucky = [is_right(p, text) for (p, _), of_one in continued for text, _ in of_one]
    rows.append(Row("right from a wrong prefix, a draw", share(lucky), f"{len(begun)} prefixes × {n} draws"))
    return rows


def main() -> None:
    """Measures, prints, and fills in the model card if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=Path("demo/policy"))
    parser.add_argument("--problems", type=int, default=400)
    parser.add_argument("--wrong-prefixes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ideal", action="store_true")
    parser.add_argument("--card", type=Path)
    args = parser.parse_args()

    found = [problem(row["id"]) for row in problems("test", args.problems, args.seed)]
    if args.ideal:
        rows = measure(found, ideal_sampler(args.seed), 0, args.seed)
    else:
        from demo.train_policy import PROMPT_FILE

        prompt = PROMPT_FILE.read_text(encoding="utf-8").rstrip("\n")
        sample = vllm_sampler(args.model, prompt, args.seed)
        rows = measure(found, sample, args.wrong_prefixes, args.seed)
    lines = ["| temperature 1.0, test split | measured | on |", "|---|---|---|"]
    table = "\n".join([*lines, *(f"| {row.name} | {row.value} | {row.sample} |" for row in rows)]) + "\n"
    print(table)
    if args.card:
        text = args.card.read_text(encoding="utf-8")
        filled = MARKERS.sub(lambda match: match[1] + table + match[2], text)
        args.card.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
