"""`make bench`: runs every benchmark, each in a process of its own; `python -m benchmarks NAME …` runs some."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = {
    "engine_busy": "tokens/s of the pipeline against vLLM's own on the same requests",
    "lockstep": "wall time of the reference's schedule against ours, on the same engine for the same labels",
    "images_once": "published bytes against unique images and the rest of the table",
    "planning": "seconds for a plan over stand-in files of the 400K corpus's size",
    "scorer": "scores on vLLM against transformers, solutions/s of both",
    "verifier": "verdicts/s against plain math-verify",
    "padding": "padding in a training's batches, and samples/s against plain batches",
    "training_memory": "peak anonymous memory of a training on 2 GB of shards",
}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"\n{name}: {BENCHMARKS[name]}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
