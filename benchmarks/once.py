"""One measurement, in a process of its own: `python -m benchmarks.once NAME FILE [key=value …]` writes numbers as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.shape import find
from pipeline.errors import UserError
from pipeline.settings import parse_settings


def main(name: str, file: str, *overrides: str) -> None:
    benchmark = find(name)
    measured = benchmark.measure(parse_settings(benchmark.settings, {}, overrides, name))
    Path(file).write_text(json.dumps(dict(measured)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(2)
