"""Candidates of the problems that a training held out, from draws that its ledger has: rules are chosen on these.

The ledger's continuations after the first step are solutions when that step stands before them. They are what a pool at
the run's temperature has, but that the first step was drawn once for every `num_draws` candidates.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline import atomic
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import UserError
from pipeline.records import SEPARATOR, problem_of
from stages.label import UNJUDGED
from stages.publish.reading import read_draws
from stages.train.selection import is_held_out

HELD_OUT, SEED = 0.2, 0
"""Of the trainings of the kept critics."""


def held_out_candidates(run: str, share: float, seed: int) -> Iterator[dict[str, Any]]:
    """A row of `visualprm bon import --problems` for every problem of the run that a training with these settings held out."""
    rows = (row for row in read_draws(run) if is_held_out(problem_of(row["id"]), share, seed))
    for name, own in groupby(rows, key=lambda row: problem_of(row["id"])):
        solutions = [list(steps) for _, steps in groupby(own, key=itemgetter("id"))]
        if responses := [each for steps in solutions for each in _whole(steps)]:
            yield {"problem_id": name, "responses": responses}


def _whole(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    first, *rest = steps
    if not rest:
        return []
    return [
        {
            "response": first["text"] + SEPARATOR + draw["text"],
            "correct": None if draw["verdict"]["status"] in UNJUDGED else draw["verdict"]["status"] == "correct",
            "finish_reason": draw["finish_reason"],
        }
        for draw in first["draws"]
    ]


def write_held_out(run: str, share: float, seed: int, out: Path) -> int:
    """Writes the rows as JSON lines; returns how many. Raises UserError where there is none."""
    lines = [json.dumps(row, ensure_ascii=False) for row in held_out_candidates(run, share, seed)]
    if not lines:
        raise UserError(
            f"{run}: has no draws of a problem that is held out at a share of {share}: give the run that was trained on"
        )
    atomic.write(out, ("\n".join(lines) + "\n").encode())
    return len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the run directory of the dataset that was trained on")
    parser.add_argument("out", type=Path, help="JSON lines for `visualprm bon import --problems`")
    parser.add_argument("--held-out", type=float, default=HELD_OUT, help="the training's data.held_out (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the training's seed (%(default)s)")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{write_held_out(options.run, options.held_out, options.seed, options.out)} problems in {options.out}")


if __name__ == "__main__":
    with one_line_errors("held_out"):
        main()
