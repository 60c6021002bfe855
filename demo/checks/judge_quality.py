"""From which quality on a judge makes labels better: the kinds of labels of a run of the demo, by the judge's error rate.

    python -m demo.checks.judge_quality runs/demo --out outputs/judge_quality

Misses and false alarms are as frequent as each other. Every solution is asked about as `visualprm judge` asks, without Ray.
Writes all figures as JSON and a plot, and prints the table. With `--learnt` it also shows what reward models learnt from such
labels: the label_kinds.json of `demo.checks.label_kinds` with several judges of the run, whose error rates their settings say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from demo.checks.judge import OracleJudge
from demo.checks.report import oracle, step_oracle
from pipeline import atomic, origin
from pipeline.command_line.ending import one_line_errors
from pipeline.config import EngineConfig, parse_config
from pipeline.errors import UserError
from pipeline.markdown import markdown_table
from pipeline.prompts import prompt_file
from pipeline.records import problem_from_row
from pipeline.store import Store
from stages.annotate.earlier_run import COLUMN
from stages.annotate.sample import Template
from stages.judge.config import JudgingConfig
from stages.judge.judge import judge_solution, read_chains
from stages.judge.of_run import FOLDER
from stages.judge.records import JUDGED_SOLUTION
from stages.judge.verdicts import Judgements
from stages.label_kinds.measure import compare, kinds_of
from stages.label_kinds.report import brackets, decimal, percent
from stages.label_kinds.steps import read_steps
from stages.plot_style import Plot, Series

SHOWN = ("mc", "judge", "consensus")
"""Beginnings of the names of kinds that depend on a judge, and what they are compared with."""


def curve(run: str, rates: Sequence[float], correlated: bool, votes: int = 1) -> list[dict[str, Any]]:
    """Of a judge with each error rate, for misses and false alarms alike: what `stages.label_kinds` says of the kinds."""
    store = Store(run)
    config = parse_config(origin.noted(store, "config.yaml", "restore this file") or {}, origin=run)
    oracles = {"prefix": oracle(store), "step": step_oracle(store)}
    found = []
    for rate in rates:
        args = {"run": run, "misses": rate, "false_alarms": rate, "correlated": correlated}
        engine = OracleJudge(EngineConfig(kind="function", max_model_len=1 << 16, args=args))
        judging = JudgingConfig(votes=votes, reason_characters=0)
        judgements = Judgements.of_parts(asyncio.run(_judged(store, engine, judging)))
        steps = read_steps(store, judgements, oracles, {})
        kinds = kinds_of(config.label, stops_at_success=False, judged=True)
        found.append({"rate": rate, "correlated": correlated, "votes": votes, **compare(steps, kinds)})
    return found


async def _judged(store: Store, engine: OracleJudge, judging: JudgingConfig) -> list[pa.StructArray]:
    """Every solution of a run, asked about as `visualprm judge` asks, without Ray."""
    template = Template(prompt_file("judge_v1.txt").read_text(encoding="utf-8"))
    tables = [pq.read_table(path, filesystem=store.filesystem) for path in store.problem_files()]
    problems = {row["problem_id"]: problem_from_row(row) for table in tables for row in table.to_pylist()}
    rows = [{"problem_id": key, COLUMN: path} for path in store.ledger_files() for key in store.ids([path])]
    judged = [
        (await judge_solution(problems[key], chain, template, "curve", engine, 0, judging)).row()
        for key, (_, chains) in sorted(read_chains(rows).items())
        for chain in chains
    ]
    return [pa.array(judged, JUDGED_SOLUTION)]


def learnt(run: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each reward model the error rate of the judge whose labels it learnt (null: those of `mc`), their kind, and its worth.

    Raises:
        UserError: a judge's misses and false alarms are not as frequent as each other.
    """
    found = []
    for row in rows:
        rate, correlated = None, False
        if row["judge"] is not None:
            judge = Store(Store(run).address(FOLDER, row["judge"]))
            args = (origin.noted(judge, "config.yaml", "restore this file") or {})["engine"]["args"]
            rate, correlated = args["misses"], args["correlated"]
            if rate != args["false_alarms"]:
                raise UserError(
                    f"{judge.uri}: misses {rate} and false alarms {args['false_alarms']} are no point of the curve"
                )
        found.append({"rate": rate, "correlated": correlated, "kind": row["kind"], "prm": row["prm"]})
    return found


def learnt_table(models: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row a reward model, with its worth by each truth."""
    rows = []
    for one in models:
        judge = ("", "") if one["rate"] is None else (f"{100 * one['rate']:g} %", "yes" if one["correlated"] else "no")
        worth = [one["prm"][about] for about in ("prefix", "step")]
        f1s = (f"{decimal(each['macro_f1'])} {brackets(each['macro_f1_interval'])}" for each in worth)
        rows.append((one["kind"], *judge, *f1s, *(decimal(each["roc_auc"]) for each in worth)))
    heads = ("learnt", "errors", "correlated", "macro-F1, prefix", "macro-F1, step", "AUC, prefix", "AUC, step")
    return markdown_table(heads, rows)


def table(points: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row a judge, with the F1 of each kind's labels against the oracle (prefix) and the share it keeps."""
    names = [kind["name"] for kind in points[0]["kinds"] if kind["name"].startswith(SHOWN)]
    rows = []
    for point in points:
        row = [f"{100 * point['rate']:g} %", "yes" if point["correlated"] else "no", f"{point['votes']}"]
        for kind in point["kinds"]:
            if not kind["name"].startswith(SHOWN):
                continue
            prefix = kind["oracles"]["prefix"]
            row.append(f"{decimal(prefix['macro_f1'])} {brackets(prefix['interval'])}, {percent(kind['kept_share'])}")
        rows.append(tuple(row))
    return markdown_table(("errors", "correlated", "votes", *names), rows)


def plot(points: Sequence[Mapping[str, Any]], models: Sequence[Mapping[str, Any]] = ()) -> dict[str, bytes]:
    """Of the uncorrelated judges: F1 of the labels against the oracle (prefix), and the share of `mc`'s labels that is kept.

    And F1 of the `models` that learnt them, if there are any.
    """
    alone = [point for point in points if not point["correlated"]]
    rates = [100 * point["rate"] for point in alone]
    figure = Plot("What a judge's errors do to labels", panels=3 if models else 2, width=5.6)
    for panel, (title, value) in enumerate(
        (
            ("macro-F1 of the labels that are kept", lambda kind: kind["oracles"]["prefix"]["macro_f1"]),
            ("labels of mc that are kept", lambda kind: kind["kept_share"]),
        )
    ):
        series = [
            Series(
                kind["name"],
                rates,
                [value(point["kinds"][number]) for point in alone],
                quiet=kind["name"].startswith("mc"),
            )
            for number, kind in enumerate(alone[0]["kinds"])
            if kind["name"].startswith(SHOWN)
        ]
        figure.lines(panel, series)
        figure.label(panel, title, "wrong verdicts of the judge (%)", "share", ylim=(0, 1.02) if panel else None)
    if models:
        figure.lines(2, _learnt_series(models, rates))
        figure.label(2, "macro-F1 of a reward model that learnt them", "wrong verdicts of the judge (%)", "share")
    return figure.files("judge_quality")


def _learnt_series(models: Sequence[Mapping[str, Any]], rates: Sequence[float]) -> list[Series]:
    """A line for `mc`, whose labels depend on no judge, and one for each kind that the judges were tried with."""
    found = []
    for kind in dict.fromkeys(one["kind"] for one in models if one["kind"].startswith(SHOWN)):
        own = sorted(
            (100 * one["rate"], one["prm"]["prefix"]["macro_f1"])
            for one in models
            if one["kind"] == kind and one["rate"] is not None and not one["correlated"]
        )
        mc = [one["prm"]["prefix"]["macro_f1"] for one in models if one["kind"] == kind and one["rate"] is None]
        pairs = [(rate, mc[0]) for rate in (rates[0], rates[-1])] if mc else own
        found.append(Series(kind, [x for x, _ in pairs], [y for _, y in pairs], quiet=bool(mc)))
    return [one for one in found if len(one.x) > 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run directory of the demo with a `fixed` ledger")
    parser.add_argument("--rates", default="0,0.02,0.05,0.1,0.2,0.3", help="error rates (%(default)s)")
    parser.add_argument("--votes", type=int, default=1, help="answers on each solution (%(default)s)")
    parser.add_argument("--learnt", type=Path, metavar="FILE", help="a label_kinds.json of this run")
    parser.add_argument("--out", type=Path, default=Path("outputs/judge_quality"), help="a folder (%(default)s)")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    points = [point for correlated in (False, True) for point in curve(options.run, rates, correlated, options.votes)]
    options.out.mkdir(parents=True, exist_ok=True)
    atomic.write(options.out / "judge_quality.json", json.dumps(points, indent=1) + "\n")
    models = learnt(options.run, json.loads(options.learnt.read_text())) if options.learnt else []
    for name, data in plot(points, models).items():
        atomic.write(options.out / name, data)
    print(table(points))
    if models:
        print(f"\n{learnt_table(models)}")


if __name__ == "__main__":
    with one_line_errors("judge_quality"):
        main()
