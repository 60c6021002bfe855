"""Before the bill: `plan`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.arguments import takes_config


def add(commands: Any) -> None:
    plan = commands.add_parser(
        "plan", help="say what a run will need and cost, and check for faults, without an engine"
    )
    takes_config(plan)
    plan.add_argument("--pilot", metavar="RUN", help="take steps, tokens and chances of success from this run's ledger")
    plan.add_argument(
        "--gpu", metavar="NAME", help="take the speed from the peak rate of this GPU: a100, l40s, h100, h200, b200"
    )
    plan.add_argument(
        "--tokens-per-second", type=float, metavar="X", help="generated tokens/s of one engine, as measured"
    )
    plan.add_argument("--gpu-hour-price", type=float, metavar="X", help="the price of one GPU for an hour")
    plan.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.errors import UserError
    from stages.plan.plan import make_plan
    from stages.plan.text import plan_text

    for name in ("tokens_per_second", "gpu_hour_price"):
        if (value := getattr(options, name)) is not None and value <= 0:
            raise UserError(f"--{name.replace('_', '-')} {value:g}: give a number above 0")
    plan = make_plan(
        load_config(options.config, options.overrides),
        options.gpu,
        options.tokens_per_second,
        options.gpu_hour_price,
        options.pilot,
    )
    print(plan_text(plan))
    if wrong := sum(check.verdict == "wrong" for check in plan.checks):
        raise UserError(f"{wrong} of the checks found something wrong: see above")
