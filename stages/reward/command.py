"""Using a reward model: `score`, `serve`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.command_line.arguments import new_command, takes_backend

_PAGE = "docs/scoring.md"


def add(commands: Any) -> None:
    score = new_command(
        commands,
        "score",
        "score every step of a file of solutions with a reward model",
        _PAGE,
        [
            "outputs/demo_prm solutions.jsonl",
            "outputs/demo_prm solutions.parquet --out scores.parquet --images pictures",
        ],
    )
    _takes_model(score)
    score.add_argument("file", type=Path, help="JSONL or Parquet: question, images, and steps or response")
    score.add_argument(
        "--out",
        type=Path,
        help="a .jsonl or .parquet file; by default <FILE's stem>.scores.jsonl beside FILE (of a shard: in the working directory)",
    )
    score.add_argument("--overwrite", action="store_true", help="replace the scores of an earlier call")
    score.add_argument(
        "--images", metavar="FOLDER", help="the folder that image paths start from; FILE's folder by default"
    )
    score.add_argument(
        "--max-steps",
        type=int,
        help="the most steps that a response is cut into; by default as many as in the model's dataset",
    )
    score.add_argument("--replicas", type=int, help="run this many models in Ray; by default one in this process")
    score.add_argument("--ray-address", help="a Ray cluster to join, for --replicas")
    score.set_defaults(command=_score)

    serve = new_command(
        commands,
        "serve",
        "answer requests for scores over HTTP",
        _PAGE,
        ["outputs/demo_prm --port 8000"],
    )
    _takes_model(serve)
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on; this machine only by default")
    serve.add_argument("--port", type=int, default=8000, help="the port to listen on (8000)")
    serve.set_defaults(command=_serve)


def _takes_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("prm", help="a reward model's folder, or any policy's, as an untrained critic")
    takes_backend(command)
    command.add_argument(
        "--run-code",
        action="store_true",
        help="run the function that cut the model's dataset into steps, if it names one",
    )
    command.add_argument("--dtype", choices=["float32", "bfloat16"], help="by default bfloat16 on a GPU, else float32")


def _score(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import tell
    from stages.reward.open_scorer import ScoreOptions
    from stages.reward.score_files import score_file

    # A shard's scores beside it would pass for a part of its dataset.
    folder = Path() if options.file.suffix == ".parquet" else options.file.parent
    out = options.out or folder / f"{options.file.stem}.scores.jsonl"
    settings = ScoreOptions(
        options.prm,
        options.backend,
        options.dtype,
        options.images,
        options.max_steps,
        options.overwrite,
        options.run_code,
    )
    tell(score_file(options.file, out, settings, options.replicas, options.ray_address))


def _serve(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import say
    from stages.reward.open_scorer import ScoreOptions, open_scorer
    from stages.reward.server.run import check_place, serve

    check_place(options.host, options.port)
    with open_scorer(ScoreOptions(options.prm, options.backend, options.dtype, run_code=options.run_code)) as scorer:
        say(f"{options.prm} at http://{options.host}:{options.port} (docs at /docs)")
        serve(scorer, options.host, options.port)
