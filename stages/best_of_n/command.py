"""Best-of-N: `bon sample`, `bon import`, `bon score`, `bon report`, and step-level search, `bon search`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_backend, takes_config, takes_json

_PAGE = "docs/best_of_n.md"


def add(commands: Any) -> None:
    bon = new_command(
        commands,
        "bon",
        "measure Best-of-N: sample or import a pool of candidates, score it, report",
        _PAGE,
        ["sample --help", "report data/demo-pool"],
    )
    parts = bon.add_subparsers(required=True, metavar="PART")
    for add_part in (_add_sample, _add_import, _add_score, _add_report, _add_search):
        add_part(parts)


def _add_sample(parts: Any) -> None:
    sample = new_command(
        parts,
        "sample",
        "make a frozen pool of N candidates per problem, or resume one",
        _PAGE,
        ["configs/demo.yaml name=demo-test sources.0.kwargs.split=test --n 16 --out data/demo-pool"],
    )
    takes_config(sample)
    sample.add_argument("--n", type=int, default=64, help="candidates per problem (64)")
    sample.add_argument("--greedy-first", action="store_true", help="candidate 0 is greedy, as in VLMEvalKit")
    sample.add_argument("--out", metavar="POOL", help="the pool's folder; <output_dir>-bonN by default")
    sample.set_defaults(command=_sample, goes_on=True)


def _add_import(parts: Any) -> None:
    given = new_command(
        parts,
        "import",
        "make a frozen pool of candidates that exist, from a file",
        _PAGE,
        ["candidates.jsonl sources.0.images=pictures --out data/given_pool", "candidates.csv --problems mine.yaml"],
    )
    given.add_argument(
        "file",
        help="JSON lines, CSV or Parquet with `responses` (or `response`), optionally `correct`, `finish_reason`",
    )
    given.add_argument(
        "overrides", nargs="*", metavar="key.sub=value", help="settings, such as sources.0.images=pictures"
    )
    given.add_argument(
        "--problems",
        metavar="CONFIG",
        help="the rows name problems of this dataset config by `problem_id`, `id`, or `question` and `answer`; without it "
        "each row has its own question, images, answer and options",
    )
    given.add_argument(
        "--response", metavar="COLUMN", help="the column of the responses; `responses` or `response` by default"
    )
    given.add_argument("--correct", metavar="COLUMN", default="correct", help="the column of the verdicts (correct)")
    given.add_argument("--n", type=int, help="candidates per problem; all, if every problem has as many")
    given.add_argument("--policy", metavar="NAME", help="what wrote the responses, for the report")
    given.add_argument("--out", metavar="POOL", help="the pool's folder; <output_dir>-pool by default")
    given.set_defaults(command=_import)


def _add_score(parts: Any) -> None:
    score = new_command(
        parts,
        "score",
        "let reward models score a pool, or resume scoring",
        _PAGE,
        ["data/demo-pool prm=outputs/demo_prm orm=outputs/demo_orm"],
    )
    score.add_argument("pool", help="a pool's folder")
    score.add_argument(
        "critics", nargs="+", metavar="[NAME=]CRITIC", help="folders of process or outcome reward models"
    )
    score.add_argument(
        "--like",
        metavar="PRM",
        help="give critics that are not reward models the same input as this reward model: baselines",
    )
    takes_backend(score)
    score.set_defaults(command=_score, goes_on=True)


def _add_report(parts: Any) -> None:
    report = new_command(
        parts,
        "report",
        "report the accuracy of every way of choosing, by N, with intervals",
        _PAGE,
        ["data/demo-pool", "data/demo-pool aggregate=min"],
    )
    report.add_argument("pool", help="a pool's folder")
    report.add_argument("overrides", nargs="*", metavar="key=value", help="aggregate, subsets, resamples, seed")
    takes_json(report)
    report.set_defaults(command=_report)


def _add_search(parts: Any) -> None:
    search = new_command(
        parts,
        "search",
        "solve each problem step by step, guided by a process reward model",
        _PAGE,
        ["configs/demo.yaml sources.0.kwargs.split=test --critic outputs/demo_prm --beams 4"],
    )
    takes_config(search)
    search.add_argument("--critic", required=True, help="the folder of a process reward model")
    search.add_argument("--beams", type=int, default=4, help="beginnings that are kept after every step (4)")
    search.add_argument("--expand", type=int, default=4, help="next steps that are sampled for each beginning (4)")
    search.add_argument("--aggregate", default="mean", help="how the steps' scores become one score (mean)")
    takes_backend(search)
    search.add_argument("--out", metavar="FOLDER", help="where results go; <output_dir>-search by default")
    search.set_defaults(command=_search, goes_on=True)


def _sample(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from stages.best_of_n.sample import pool_config, sample_pool

    config = load_config(options.config, options.overrides)
    sample_pool(pool_config(config, options.n, options.greedy_first), options.out)


def _import(options: argparse.Namespace) -> None:
    from stages.best_of_n.given import Columns
    from stages.best_of_n.importing import import_config, import_pool

    config = import_config(options.file, options.problems, options.overrides)
    columns = Columns(options.response, options.correct)
    import_pool(options.file, config, options.problems is not None, columns, options.n, options.out, options.policy)


def _score(options: argparse.Namespace) -> None:
    from stages.best_of_n.scores import score_pool

    score_pool(options.pool, options.critics, like=options.like, backend=options.backend)


def _report(options: argparse.Namespace) -> Answer:
    from pipeline.settings import parse_settings
    from stages.best_of_n.report import ReportSettings, report_pool

    return report_pool(options.pool, parse_settings(ReportSettings, {}, options.overrides, origin="bon report"))


def _search(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.settings import parse_settings
    from stages.best_of_n.search import SearchSettings, search_problems

    given = {"beams": options.beams, "expand": options.expand, "aggregate": options.aggregate}
    settings = parse_settings(SearchSettings, given, origin="bon search")
    config = load_config(options.config, options.overrides)
    search_problems(config, options.critic, settings, options.out, options.backend)
