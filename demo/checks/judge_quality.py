"""From which quality on a judge makes labels better: the kinds of labels of a run of the demo, by the judge's error rate.

    python -m demo.checks.judge_quality runs/demo --out outputs/judge_quality

Misses and false alarms are as frequent as each other. Every solution is asked about as `visualprm judge` asks, without Ray.
Writes all figures as JSON and a plot, and prints the table.
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
from pipeline.markdown import markdown_table
from pipeline.prompts import prompt_file
from pipeline.records import problem_from_row
from pipeline.store import Store
from stages.annotate.earlier_run import COLUMN
from stages.annotate.sample import Template
from stages.judge.config import JudgingConfig
from stages.judge.judge import judge_solution, read_chains
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


def plot(points: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Of the uncorrelated judges: F1 of the labels against the oracle (prefix), and the share of `mc`'s labels that is kept."""
    alone = [point for point in points if not point["correlated"]]
    rates = [100 * point["rate"] for point in alone]
    figure = Plot("What a judge's errors do to labels", panels=2, width=5.6)
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
    return figure.files("judge_quality")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run directory of the demo with a `fixed` ledger")
    parser.add_argument("--rates", default="0,0.02,0.05,0.1,0.2,0.3", help="error rates (%(default)s)")
    parser.add_argument("--votes", type=int, default=1, help="answers on each solution (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("outputs/judge_quality"), help="a folder (%(default)s)")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    points = [point for correlated in (False, True) for point in curve(options.run, rates, correlated, options.votes)]
    options.out.mkdir(parents=True, exist_ok=True)
    atomic.write(options.out / "judge_quality.json", json.dumps(points, indent=1) + "\n")
    for name, data in plot(points).items():
        atomic.write(options.out / name, data)
    print(table(points))


if __name__ == "__main__":
    with one_line_errors("judge_quality"):
        main()
