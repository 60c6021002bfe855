"""Measuring a critic: `evaluate`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure a reward model on a bench of labelled steps")
    evaluate.add_argument(
        "model", metavar="PRM", help="a reward model; with critic=prompted any model; or scores.jsonl"
    )
    evaluate.add_argument("bench", metavar="BENCH", help="VisualProcessBench, ProcessBench or a bench in their layout")
    evaluate.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings; see docs/evaluation.md")
    evaluate.add_argument(
        "--threshold", help="a number, 'tuned', 'tuned:SHARE' or 'swept'; the middle of the model's scores by default"
    )
    evaluate.add_argument(
        "--like",
        metavar="PRM",
        help="give a model that is not a reward model the same input as this reward model: a baseline",
    )
    evaluate.add_argument(
        "--against", metavar="SCORES", help="another critic's scores.jsonl, to report the difference; needs --threshold"
    )
    evaluate.add_argument("--out", help="the folder for report.md, .json and .png and scores.jsonl")
    evaluate.set_defaults(command=_evaluate, goes_on=True)


def _evaluate(options: argparse.Namespace) -> None:
    from pipeline.settings import parse_settings
    from stages.evaluate.run import EvaluateSettings, evaluate
    from stages.evaluate.threshold import Rule

    settings = parse_settings(EvaluateSettings, {"like": options.like}, options.overrides, "evaluate")
    rule = None if options.threshold is None else Rule.parse(options.threshold)
    print(evaluate(options.model, options.bench, rule, options.out, settings, options.against))
