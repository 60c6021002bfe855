"""Labels by people: `annotate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pipeline.command_line.arguments import new_command
from pipeline.command_line.parser import Parser
from stages.browse.command import takes_address

_ACTIONS = ("sample", "report", "export")
_USAGE = """visualprm annotate BENCH [--host HOST] [--port PORT]
       visualprm annotate sample PATH --out BENCH (--solutions N | --steps N)
                          [--annotators A,B] [--overlap S] [--seed N] [--about step|prefix]
       visualprm annotate report BENCH
       visualprm annotate export BENCH (--out FOLDER | --run RUN)"""


def add(commands: Any) -> None:
    annotate = new_command(
        commands,
        "annotate",
        "label steps by hand on a page; draw what to label, report, export",
        "docs/annotating.md",
        [
            "sample data/demo --out benches/mine --solutions 200 --annotators Ann,Bo",
            "benches/mine",
            "export benches/mine --out benches/done",
        ],
        usage=_USAGE,
    )
    # The folder stands where the other forms have an action, so each form has a parser of its own.
    annotate.add_argument(
        "rest",
        nargs=argparse.REMAINDER,
        metavar="BENCH | sample | report | export",
        help="a bench's folder, or what to do",
    )
    annotate.set_defaults(command=lambda options: _annotate(options.rest), goes_on=True)


def _annotate(words: Sequence[str]) -> None:
    action = words[0] if words and words[0] in _ACTIONS else "page"
    parser = Parser(prog=f"visualprm annotate{'' if action == 'page' else f' {action}'}")
    options = {"page": _page, "sample": _sample, "report": _report, "export": _export}[action]
    options(parser, words if action == "page" else words[1:])


def _page(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument(
        "bench", help="a folder of `visualprm annotate sample`, or a bench in VisualProcessBench's layout"
    )
    takes_address(parser)
    options = parser.parse_args(words)
    from pipeline.terminal.speak import tell
    from stages.annotate_steps.app import create_app
    from stages.annotate_steps.tasks import read_tasks
    from stages.browse.serving import serve

    app = create_app(read_tasks(options.bench))
    serve(app, options.host, options.port, tell)


def _sample(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("path", help="a dataset, a run, a pool or a bench")
    parser.add_argument("--out", required=True, metavar="BENCH", help="the new folder")
    many = parser.add_mutually_exclusive_group(required=True)
    many.add_argument(
        "--solutions", type=int, help="label whole solutions, as many of each source, policy and kind of answer"
    )
    many.add_argument("--steps", type=int, help="audit a dataset: label single steps, half of each mc label")
    parser.add_argument(
        "--annotators", default="", help="names, separated by commas; without any, everyone labels everything"
    )
    parser.add_argument("--overlap", type=float, default=0.2, help="the share that all of them label (0.2)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (0)")
    parser.add_argument(
        "--about",
        choices=("step", "prefix"),
        help="what a label says: that the step is right (step), or it and all before it (prefix, as mc labels do). "
        "Default: step with --solutions, prefix with --steps",
    )
    options = parser.parse_args(words)
    from pipeline.terminal.speak import say
    from stages.annotate_steps.sample import SampleSettings, sample

    many_asked = options.solutions if options.steps is None else options.steps
    if many_asked < 1:
        parser.error("--solutions and --steps must be at least 1")
    names = tuple(name.strip() for name in options.annotators.split(",") if name.strip())
    rule = options.about or ("step" if options.steps is None else "prefix")
    overlap = options.overlap if names else 1.0
    settings = SampleSettings(options.solutions, options.steps, names, overlap, options.seed, rule)
    say(sample(options.path, options.out, settings))


def _report(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("bench", help="its folder")
    options = parser.parse_args(words)
    from pipeline.terminal.speak import tell
    from stages.annotate_steps.report import build, text
    from stages.annotate_steps.tasks import read_tasks

    folder = read_tasks(options.bench)
    tell(text(build(folder), folder))


def _export(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("bench", help="its folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="FOLDER", help="a bench that `visualprm evaluate` reads")
    where.add_argument("--run", help="a run directory, whose card shows what people say of its labels")
    options = parser.parse_args(words)
    from pipeline.terminal.speak import say
    from stages.annotate_steps.export import export_audit, export_bench
    from stages.annotate_steps.tasks import read_tasks

    folder = read_tasks(options.bench)
    say(export_bench(folder, options.out) if options.out else export_audit(folder, options.run))
