"""Measuring a critic: `evaluate`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_json


def add(commands: Any) -> None:
    evaluate = new_command(
        commands,
        "evaluate",
        "measure a reward model on a bench of labelled steps",
        "docs/evaluation.md",
        [
            "outputs/demo_prm data/demo-bench --threshold tuned",
            "outputs/prm VisualProcessBench --out outputs/evaluate/prm",
            "Qwen/Qwen2.5-VL-7B-Instruct VisualProcessBench critic=prompted",
        ],
    )
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
    takes_json(evaluate)
    evaluate.set_defaults(command=_evaluate, goes_on=True)


def _evaluate(options: argparse.Namespace) -> Answer:
    from pipeline.settings import parse_settings
    from stages.evaluate.run import EvaluateSettings, evaluate
    from stages.evaluate.threshold import Rule

    settings = parse_settings(EvaluateSettings, {"like": options.like}, options.overrides, "evaluate")
    rule = None if options.threshold is None else Rule.parse(options.threshold)
    return evaluate(options.model, options.bench, rule, options.out, settings, options.against)
