"""`make faults`: injects faults, and writes the table of what became of them into docs/faults.md.

    python -m tests.faults                # all groups
    python -m tests.faults files          # one; the others keep their tables
    python -m tests.faults files --flips 2 --only problems.json --dry

Exit status 1 if a result was wrong and nothing said so, a traceback was shown, a command hung or left a process.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.faults import disk, processes, stores, writers
from tests.faults.results import BAD, Result, table

Group = Callable[[Path, argparse.Namespace], Iterable[Result]]
GROUPS: dict[str, tuple[str, Group]] = {
    "files": (
        "Files of a run and its dataset",
        lambda folder, options: disk.results(folder, options.flips, options.only),
    ),
    "processes": ("Processes of a run", lambda folder, options: processes.results(folder, options.only)),
    "store": ("An object store that fails", lambda folder, options: stores.results(folder, options.only)),
    "writers": ("What is written while a disk fails", lambda folder, options: writers.results(folder, options.only)),
}
"""Name → its heading in the document, and what yields its results, in an empty folder."""
DOCUMENT = Path("docs/faults.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--flips", type=int, default=disk.FLIPS, help=f"bits changed in each file ({disk.FLIPS})")
    parser.add_argument(
        "--only", default="", help="a part of the names of the files, writers or store's faults, or of VICTIM:SIGNAL"
    )
    parser.add_argument("--dry", action="store_true", help="leave the document as it is")
    options = parser.parse_args()
    bad: list[Result] = []
    for name in options.groups or GROUPS:
        heading, group = GROUPS[name]
        found: list[Result] = []
        started = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for one in group(Path(folder), options):
                found.append(one)
                print(f"{one.what}, {one.fault}: {one.outcome}: {one.detail.strip()[-300:]}", flush=True)
        text = f"### {heading}\n\n{table(found)}\n\n{len(found):,} faults, {(time.monotonic() - started) / 60:.0f} min."
        print(text)
        if not options.dry:
            DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        bad += [one for one in found if one.outcome in BAD]
    for one in bad:
        print(f"{one.what}, {one.fault}: {one.outcome}: {one.detail}", file=sys.stderr)
    sys.exit(bool(bad))


def replaced(document: str, name: str, text: str) -> str:
    """The document with a group's part written anew; a new part comes last."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->\n"
    part = begin + text + end
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return found.sub(lambda _: part, document) if found.search(document) else f"{document.rstrip()}\n\n{part}"


if __name__ == "__main__":
    main()
