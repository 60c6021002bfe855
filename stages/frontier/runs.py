"""Writes for each strategy the run directory that it would have left, to publish from and train on."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline import schemas
from pipeline.config import RolloutConfig, ledger_view, parse_config
from pipeline.settings import dump_settings
from pipeline.store import Store, beside, block_of
from stages.rollout import Progress, open_steps, origins, replay


def write_runs(store: Store, rollouts: list[RolloutConfig], folder: str) -> list[str]:
    """Run directories under `folder`, one a strategy, each named after it; `visualprm publish` takes them."""
    runs = []
    for rollout in rollouts:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", rollout.description.replace("num_draws=", "n"))
        target = Store(Store(folder).address(name))
        _write_run(store, target, rollout, name)
        runs.append(target.uri)
    return runs


def cut(solution: Mapping[str, Any], config: RolloutConfig) -> dict[str, Any]:
    """A solution's row with the draws that the strategy would have made of those it has."""
    steps = solution["steps"]
    context = [step["origin"] == "context" for step in steps]
    opened = open_steps(context, config)
    correct = solution["verdict"]["status"] == "correct"
    hits = [[draw["verdict"]["status"] == "correct" for draw in steps[index]["draws"]] for index in opened]
    progress = [Progress()] * len(steps)
    for index, drawn in zip(opened, replay(solution["solution_id"], correct, hits, config), strict=True):
        progress[index] = drawn
    made = [
        {**step, "draws": step["draws"][: prefix.drawn], "origin": origin}
        for step, prefix, origin in zip(steps, progress, origins(progress, correct, config, context), strict=True)
    ]
    return {**solution, "steps": made}


def _write_run(store: Store, target: Store, rollout: RolloutConfig, name: str) -> None:
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")))
    output = beside(config.output_dir, f"-{name}")
    config = config.model_copy(update={"name": name, "run_dir": target.uri, "output_dir": output, "rollout": rollout})
    target.make()
    for part in ("annotations", "checkpoint", "problems"):
        target.clear(part)
        target.filesystem.create_dir(target.path(part), recursive=True)
    for path in store.problem_files():
        with (
            store.filesystem.open_input_stream(path) as held,
            target.new_file(f"problems/{posixpath.basename(path)}") as copy,
        ):
            shutil.copyfileobj(held, copy)
    for path in store.ledger_files():
        rows = _cut_rows(pq.ParquetFile(path, filesystem=store.filesystem).read(), rollout)
        block = block_of(path)
        target.add_block(block, rows)
        with target.new_commit(block) as out:
            pq.write_table(rows.select(["problem_id"]), out)
    held = {key: value for key, value in store.read_json("ledger.json").items() if not key.startswith("rollout.")}
    made = {key: value for key, value in ledger_view(config).items() if key == "name" or key.startswith("rollout.")}
    target.write_json("ledger.json", held | made)
    target.write_text("quarantine/load.jsonl", store.read_text("quarantine/load.jsonl"))
    target.write_text("config.yaml", dump_settings(config))
    target.write_text("problems.json", store.read_text("problems.json"))


def _cut_rows(table: pa.Table, config: RolloutConfig) -> pa.Table:
    rows = []
    for row in table.to_pylist():
        # Rows stay plain values: a corpus' draws as objects would take minutes for what is a cut.
        solutions = [cut(solution, config) for solution in row["solutions"]]
        draws = [draw for solution in solutions for step in solution["steps"] for draw in step["draws"]]
        made = {
            "strategy": config.description,
            "num_draws": len(draws),
            "num_tokens": sum(len(written["token_ids"]) for written in (*solutions, *draws)),
            "solutions": solutions,
        }
        rows.append({**row, **made})
    return schemas.table(rows, schemas.LEDGER_SCHEMA)
