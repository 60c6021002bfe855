"""Before the bill: `plan`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_config, takes_json


def add(commands: Any) -> None:
    plan = new_command(
        commands,
        "plan",
        "say what a run will need and cost, and check for faults, without an engine",
        "docs/planning.md",
        ["mine.yaml --pilot runs/mine-pilot", "configs/visualprm400k.yaml --gpu h100 --gpu-hour-price 2.5"],
    )
    takes_config(plan)
    takes_json(plan)
    plan.add_argument("--pilot", metavar="RUN", help="take steps, tokens and chances of success from this run's ledger")
    plan.add_argument(
        "--gpu", metavar="NAME", help="take the speed from the peak rate of this GPU: a100, l40s, h100, h200, b200"
    )
    plan.add_argument(
        "--tokens-per-second", type=float, metavar="X", help="generated tokens/s of one engine, as measured"
    )
    plan.add_argument(
        "--thinking-tokens",
        type=float,
        metavar="N",
        help="tokens of a response's thinking on average, for a policy that thinks, where there is no pilot",
    )
    plan.add_argument(
        "--gpu-hour-price",
        metavar="X",
        help="the price of one GPU for an hour, with its currency: 2.50, $2.50, '2.50 EUR'",
    )
    plan.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> Answer:
    from pipeline.config import load_config
    from pipeline.errors import UserError
    from stages.plan.data import plan_data
    from stages.plan.plan import make_plan
    from stages.plan.text import plan_text
    from stages.plan.units import read_price

    if (rate := options.tokens_per_second) is not None and rate <= 0:
        raise UserError(f"--tokens-per-second {rate:g}: give a number above 0")
    if (thinking := options.thinking_tokens) is not None and thinking < 0:
        raise UserError(f"--thinking-tokens {thinking:g}: give 0 or more")
    price, currency = read_price(options.gpu_hour_price) if options.gpu_hour_price is not None else (None, "")
    plan = make_plan(
        load_config(options.config, options.overrides),
        options.gpu,
        options.tokens_per_second,
        price,
        options.pilot,
        currency,
        thinking,
    )
    wrong = sum(check.verdict == "wrong" for check in plan.checks)
    told = f"{wrong} of the checks found something wrong: see `in the way` above" if wrong else ""
    return Answer(plan_text(plan), plan_data(plan), told)
