"""`python -m demo.many`: which rule of choosing doesn't fall from the best of 8 to the best of 64.

Starts from what `make reproduce` made and is kept (`python -m demo.reproduction.kept`). Rules and their powers are chosen on
problems that no critic learnt from, whose 64 candidates are draws of the ledger; then all rules are run on the test pools.
Every task is a command that goes on where it was stopped; what has ended is not repeated. What is found is printed and kept
as outputs/many/table.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.many.held_out import HELD_OUT, SEED
from demo.many.rules import PRIOR, all_rules
from demo.many.table import cases_of, chosen, table
from demo.reproduction.claims import WIDE
from demo.reproduction.kept import UNPACKED
from demo.reproduction.plan import CANDIDATES, DATASET_CONFIG, TEMPERATURES, TRAIN_CONFIG, VISUALPRM
from demo.reproduction.tasks import Task, run
from pipeline import atomic
from pipeline.command_line.ending import one_line_errors

HOME = Path("outputs/many")
POOL = Path("data/many/pool")
COUNTS = "counts"
PYTHON = (sys.executable, "-m")
CRITICS = ("value", WIDE, "orm", COUNTS)
PROBLEMS = 1000
"""Of the ledger."""


def phases() -> list[list[Task]]:
    """All commands, those of a phase beside each other."""
    rows = HOME / "held_out.jsonl"
    own = ("--held-out", str(HELD_OUT), "--seed", str(SEED))
    drawn = Task("held-out", (*PYTHON, "demo.many.held_out", str(UNPACKED / "run"), str(rows), *own), rows)
    where = ("name=many", f"sources.0.kwargs.count={PROBLEMS}")
    how = ("--problems", DATASET_CONFIG, *where, "--n", str(CANDIDATES), "--out", str(POOL))
    pool = Task("pool", (*VISUALPRM, "bon", "import", str(rows), *how), POOL, (drawn,))
    model = HOME / COUNTS
    learnt = (f"data.path={UNPACKED / 'dataset'}", f"output_dir={model}", f"target.kind={COUNTS}", f"seed={SEED}")
    trained = Task("train-counts", (*VISUALPRM, "train", TRAIN_CONFIG, "name=many-counts", *learnt), model)
    pools = [POOL, *map(test_pool, TEMPERATURES)]
    paths = [f"{name}={model if name == COUNTS else UNPACKED / name}" for name in CRITICS]
    after = (pool, trained)
    judge = (*VISUALPRM, "bon", "score")
    likely = (*PYTHON, "demo.many.likelihood", "--as", str(UNPACKED / "value"))
    scored = [
        [
            Task(f"scores-{place.name}", (*judge, str(place), *paths), place / "scores" / CRITICS[-1], after),
            Task(f"{PRIOR}-{place.name}", (*likely, str(place)), place / "scores" / PRIOR, after),
        ]
        for place in pools
    ]
    return [[drawn, trained], [pool], *scored]


def test_pool(temperature: float) -> Path:
    """The kept candidates of test problems at this temperature."""
    return UNPACKED / f"pool-{temperature}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    run(phases(), HOME / "done")
    held_out = cases_of(str(POOL))
    rules = chosen(held_out, all_rules([COUNTS, WIDE, "orm"]), CRITICS)
    text = table(
        held_out, {f"test at {at}": cases_of(str(test_pool(at))) for at in TEMPERATURES}, rules, (*CRITICS, PRIOR)
    )
    atomic.write(HOME / "table.md", text + "\n")
    print(text)


if __name__ == "__main__":
    with one_line_errors("many"):
        main()
