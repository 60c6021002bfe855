"""Best-of-N: `bon sample`, `bon score`, `bon report`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.arguments import takes_config


def add(commands: Any) -> None:
    bon = commands.add_parser("bon", help="Best-of-N: sample a pool of candidates, score it, report")
    parts = bon.add_subparsers(required=True, metavar="PART")

    sample = parts.add_parser("sample", help="make a frozen pool of N candidates a problem, or go on with it")
    takes_config(sample)
    sample.add_argument("--n", type=int, default=64, help="candidates of every problem (64)")
    sample.add_argument("--greedy-first", action="store_true", help="candidate 0 is greedy, as in VLMEvalKit")
    sample.add_argument("--out", metavar="POOL", help="the pool's folder; <output_dir>-bonN by default")
    sample.set_defaults(command=_sample)


def _sample(options: argparse.Namespace) -> None:
    from pipeline.bon.sample import pool_config, sample_pool
    from pipeline.config import load_config

    config = load_config(options.config, options.overrides)
    sample_pool(pool_config(config, options.n, options.greedy_first), options.out)
