"""Draws from a policy on problems of the test split, and writes what verifier, oracle and reward model say of the draws.

VISUALPRM_REWARD_URL=http://127.0.0.1:8000 python -m demo.rl.evaluate outputs/rl/min-0 --out outputs/rl/evaluated/min-0
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from demo.benchmark import DemoProblem, problem, problems
from demo.reproduction.tasks import POLICY
from demo.rl.drawing import Draw, draw
from demo.rl.judging import Judged, summary
from demo.rl.recipe import Recipe
from pipeline import atomic
from pipeline.command_line.ending import one_line_errors
from stages.reward.outcomes import Outcomes
from stages.rewards.rewarder import Response, Rewarder

SUMMARY, DRAWS = "summary.json", "draws.jsonl"
SPLIT = "test"


def judge(found: Sequence[DemoProblem], drawn: Sequence[Sequence[Draw]], rewarder: Rewarder) -> list[list[Judged]]:
    """All draws with their verdicts, truths and scores."""
    pairs = [(one, each) for one, draws in zip(found, drawn, strict=True) for each in draws]
    scored = rewarder([Response(one.question, (one.image(),), each.text) for one, each in pairs])
    with Outcomes() as outcomes:
        right = outcomes.all_correct([(one.answer, each.text, one.question) for one, each in pairs])
    judged = [
        Judged.of(
            one.id, each.text, each.tokens, each.ended, each.log_ratio, verdict,
            None if own.scored is None else (own.scored.steps, own.scored.step_scores),
        )
        for (one, each), own, verdict in zip(pairs, scored, right, strict=True)
    ]  # fmt: skip
    count = len(drawn[0])
    return [judged[k : k + count] for k in range(0, len(judged), count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", type=Path, help="a folder")
    parser.add_argument("--out", type=Path, required=True, help="the folder of what is found")
    parser.add_argument("--problems", type=int, default=240, help="of the test split (%(default)s)")
    parser.add_argument("--draws", type=int, default=4, help="for each problem (%(default)s)")
    parser.add_argument("--max-tokens", type=int, default=Recipe.max_tokens, help="of a draw (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (%(default)s)")
    parser.add_argument("--prm", help="what the reward model is known by, for the note")
    options = parser.parse_args()
    found = [problem(row["id"]) for row in problems(SPLIT, options.problems)]
    drawn = draw(options.policy, Path(POLICY), found, options.draws, options.max_tokens, options.seed)
    judged = judge(found, drawn, Rewarder.from_environment())
    lines = [json.dumps(dataclasses.asdict(one)) + "\n" for of_one in judged for one in of_one]
    with atomic.new_folder(options.out, last=[SUMMARY]) as aside:
        Path(aside, DRAWS).write_text("".join(lines), encoding="utf-8")
        Path(aside, SUMMARY).write_text(json.dumps({"prm": options.prm, **summary(judged)}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors("rl.evaluate"):
        main()
