"""`make bench`: measures, prints one table of all benchmarks and writes it into docs/benchmarks.md.

    python -m benchmarks                            # all of them, three times each
    python -m benchmarks padding data=data/mine     # one, with a setting of its own; the others keep their numbers
    python -m benchmarks --table                    # the table of what is measured so far

Each measurement is a process of its own. Results are kept in outputs/bench, a file a benchmark. Exit status 1 if one
failed, or a median isn't what was asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import benchmarks
from benchmarks.results import Result, Surroundings
from benchmarks.shape import find
from benchmarks.table import missed, render, replaced
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import UserError
from pipeline.settings import parse_settings

CANNOT = 2
"""Exit status of a benchmark that can't be measured here, say for want of a run; it has said why."""


def main() -> None:
    options = _parse()
    with one_line_errors("bench"):
        sys.exit(bench(options))


def bench(options: argparse.Namespace) -> int:
    """Measures, prints and writes; the exit status."""
    overrides = [word for word in options.words if "=" in word]
    names = [word for word in options.words if word not in overrides]
    if overrides and len(names) != 1:
        raise UserError("settings are a benchmark's own: name just one")
    chosen = {name: find(name) for name in names}
    if not names and not options.table:
        chosen = {name: one for name in benchmarks.NAMES if not (one := find(name)).on_request}
    failed = [name for name in chosen if not measure(name, overrides, options.repeat, options.results)]
    known = {name: find(name) for name in benchmarks.NAMES}
    results = {name: Result.read(options.results / f"{name}.json") for name in known}
    text = render(known, results)
    print(text)
    document = options.document.read_text(encoding="utf-8")
    options.document.write_text(replaced(document, text), encoding="utf-8")
    short = [f"{name}: {what}" for name in chosen if (found := results[name]) for what in missed(known[name], found)]
    for head, what in (("failed", failed), ("not what was asked for", short)):
        if what:
            print(f"{head}: {'; '.join(what)}", file=sys.stderr)
    return int(bool(failed or short))


def measure(name: str, overrides: Sequence[str], repeat: int, folder: Path) -> bool:
    """Measures and keeps the result after every run; False if a run failed."""
    settings = parse_settings(find(name).settings, {}, overrides, name)
    result = Result(Surroundings.here(), settings.model_dump(mode="json"))
    for run in range(repeat):
        print(f"{name}: {run + 1} of {repeat}", file=sys.stderr, flush=True)
        load = os.getloadavg()[0]
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [sys.executable, "-m", "benchmarks.once", name, file.name, *overrides]
            status = subprocess.run(command, env={"VLLM_LOGGING_LEVEL": "ERROR", **os.environ}).returncode
            if status:
                return status == CANNOT
            result.add(json.loads(file.read()), load)
        result.write(folder / f"{name}.json")
    return True


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="NAME", help=f"of {', '.join(benchmarks.NAMES)}; key=value")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--table", action="store_true", help="measure nothing but what is named")
    parser.add_argument("--results", type=Path, default=Path("outputs/bench"), help="where results are kept")
    parser.add_argument(
        "--document", type=Path, default=Path("docs/benchmarks.md"), help="what the table is written to"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
