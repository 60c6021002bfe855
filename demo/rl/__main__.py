"""`make rl`: trains the demo's policy on each reward with every seed, evaluates all of them, and writes docs/reinforcement.md.

A training that was stopped goes on from its last checkpoint; a task that has ended is not repeated, unless its command, the
policy or the reward model has changed. One service scores for all.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from demo.reproduction import kept
from demo.reproduction.tasks import run
from demo.rl.document import document
from demo.rl.pictures import write
from demo.rl.plan import MODEL, Plan
from demo.rl.recipe import Recipe
from demo.rl.results import Results
from demo.rl.service import served
from pipeline import atomic
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings of every training")
    parser.add_argument("--name", default="rl", help="of the folders (rl)")
    parser.add_argument("--seeds", type=int, default=3, help="of each reward that is compared (3)")
    parser.add_argument("--problems", type=int, default=240, help="of the test split, to evaluate on (240)")
    parser.add_argument("--draws", type=int, default=4, help="for each of them (4)")
    parser.add_argument("--out", type=Path, default=Path("docs/reinforcement.md"))
    options = parser.parse_intermixed_args()
    for name in ("seeds", "problems", "draws"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: must be 1 or more")
    plan = Plan(options.name, Recipe.parse(options.settings), options.seeds, options.problems, options.draws)
    phases = plan.phases()
    if all(task.done(plan.notes) for phase in phases for task in phase):
        seconds = run(phases, plan.notes)
    else:
        (model,) = kept.unpack([MODEL])
        with served(model, plan.home / "service.log"):
            seconds = run(phases, plan.notes)
    results = Results.read(plan)
    pictures = write(results, options.out)
    command = shlex.join(["python", "-m", "demo.rl", *sys.argv[1:]])
    atomic.write(options.out.with_suffix(".jsonl"), results.text())
    atomic.write(options.out, document(results, plan, seconds, command, pictures))
    print(f"written to {options.out}")


if __name__ == "__main__":
    with one_line_errors("rl", goes_on=True):
        main()
