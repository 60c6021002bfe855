"""Do transformers and vLLM give a reward model the same scores, and how fast is each?

    python -m benchmarks.scorer --problems 64

Real solutions of the demo's problems, right and wrong ones, scored in float32 by the demo policy as an untrained
critic, or by `--model`. Exit status 1 where scores differ by more than 2e-3.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

from demo.benchmark import FAMILIES, problem
from demo.reasoning import STEP_SEPARATOR, write
from stages.score import Candidate, ProcessRewardModel, Scorer

LIMIT = 2e-3
POLICY = str(Path(__file__).parents[1] / "demo/policy")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--solutions", type=int, default=4, help="solutions a problem")
    parser.add_argument("--model", default=POLICY)
    args = parser.parse_args()
    from pipeline.engine.vllm_scores import VllmScorer

    items = solutions(args.problems, args.solutions)
    print(f"{len(items)} solutions, {sum(len(item.steps) for item in items)} steps")
    plain = timed("transformers", ProcessRewardModel.from_pretrained(args.model, dtype="float32"), items)
    with closing(VllmScorer(args.model, dtype="float32")) as scorer:
        fast = timed("vLLM", scorer, items)
    largest = difference(plain, fast)
    print(f"largest difference {largest:.1e} (at most {LIMIT:.0e})")
    return int(largest > LIMIT)


def solutions(problems: int, each: int) -> list[Candidate]:
    """Solutions of drawn problems of every family, the right one first."""
    names = list(FAMILIES)
    drawn = [problem(f"{names[index % len(names)]}-{index}") for index in range(problems)]
    return [
        Candidate(found.question, (found.image(),), tuple(write(found.plan, path.beliefs).split(STEP_SEPARATOR)))
        for found in drawn
        for path in found.paths[:each]
    ]


def timed(name: str, scorer: Scorer, items: list[Candidate]) -> list[list[float]]:
    """Scores after a warm-up, with the rate printed."""
    scorer.score_many(items[-8:])
    start = time.perf_counter()
    found = [own for own in scorer.score_many(items[:-8]) if isinstance(own, list)]
    seconds = time.perf_counter() - start
    assert len(found) == len(items) - 8
    print(f"{name}: {len(found) / seconds:.1f} solutions/s")
    return found


def difference(first: list[list[float]], second: list[list[float]]) -> float:
    return max(abs(a - b) for own, other in zip(first, second, strict=True) for a, b in zip(own, other, strict=True))


if __name__ == "__main__":
    sys.exit(main())
