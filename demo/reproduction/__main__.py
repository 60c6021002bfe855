"""`make reproduce`: the paper's claims tried on the demo, from nothing to docs/reproduction.md.

Every task is a command of the project that goes on where it was stopped; a task that has ended is not repeated, unless
something that it depends on has changed. Another policy or another dataset needs a new `--name`: a run keeps its ledger.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from demo.checks.process_bench import LABELS
from demo.reproduction.claims import WIDE, Results
from demo.reproduction.document import Corpus, document
from demo.reproduction.pictures import write
from demo.reproduction.plan import TEMPERATURES, VARIANTS, Places, Plan
from demo.reproduction.tasks import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key.sub=value", help="settings of every training")
    parser.add_argument("--name", default="reproduce", help="of the runs and folders (reproduce)")
    parser.add_argument("--problems", type=int, default=1000, help="of the dataset, a quarter of `wide`'s (1000)")
    parser.add_argument("--test-problems", type=int, default=600, help="of the pools (600)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="reward models (all)")
    parser.add_argument("--out", type=Path, default=Path("docs/reproduction.md"))
    options = parser.parse_intermixed_args()
    variants = ["value", *(name for name in options.variants if name != "value")]
    places = Places(options.name)
    plan = Plan(places, options.problems, options.test_problems, variants, options.settings)
    seconds = run(plan.phases(), places.notes)
    pools = [places.pool(temperature) for temperature in TEMPERATURES]
    results = Results.read(places.home, ["base", *variants], pools)
    pictures = write(results.pools[0].report, options.out)
    folders = {"dataset": places.dataset, **({WIDE: places.wide} if plan.has_wide else {})}
    text = document(
        results,
        seconds,
        {name: Corpus.read(folder) for name, folder in folders.items()},
        command=shlex.join(["python", "-m", "demo.reproduction", *sys.argv[1:]]),
        labels=(places.labels / LABELS).read_text(encoding="utf-8"),
        pictures=pictures,
    )
    options.out.write_text(text, encoding="utf-8")
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
