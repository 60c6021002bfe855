"""`visualprm frontier`: reads a ledger, compares the strategies over it, writes table, figures and plot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipeline import atomic
from pipeline.config import RolloutConfig, parse_config
from pipeline.errors import UserError
from pipeline.functions import named_function
from pipeline.store import Store, one_line_io_errors, open_uri
from stages.annotate.damage import check_run
from stages.frontier.measure import Oracle, Truths, candidates, compare
from stages.frontier.report import markdown, plot
from stages.frontier.runs import write_runs
from stages.rollout.ledger import Recorded, recorded


def frontier(
    run: str, truth: str | None = None, oracle: str | None = None, out: str | None = None, runs: str | None = None
) -> str:
    """Writes `frontier.json`, `frontier.md` and `frontier.png`, and returns the table.

    Args:
        run: a run directory with a `fixed` ledger.
        truth: the directory of a `fixed` run of the same problems and seed with more draws a prefix; those
            beyond the run's own serve as the truth about mc.
        oracle: `module:function`; the function gets the run's store and returns an `Oracle`.
        out: a folder; `frontier` in the run directory by default.
        runs: a folder for the run directories that the strategies would have left.

    Raises:
        UserError: a ledger is missing, isn't `fixed`, or the two share no solution.
    """
    folder = out or Store(run).address("frontier")
    text = write_report(replayed(run, truth, oracle), folder)
    made = strategy_runs(run, runs) if runs else {}
    return "\n".join([text, f"written to {folder}", *made.values()])


def replayed(run: str, truth: str | None = None, oracle: str | None = None) -> dict[str, Any]:
    """The figures that `compare` makes; see `frontier`."""
    store, rollout = _fixed_run(run)
    judge: Oracle | None = named_function(oracle, "--oracle")(store) if oracle else None
    truths = _truths(truth, rollout) if truth else None
    if truths is not None and not any((item.solution_id, item.seed) in truths for item in recorded(store)):
        raise UserError(
            f"--truth {truth}: shares no solution with {run}: it must have the same problems, policy and seed"
        )
    result = compare(_complete(recorded(store), rollout, run), rollout, truths, judge)
    if not result["ledger"].get("solutions"):
        raise UserError(f"{run}: the ledger holds no solution yet; `visualprm dataset CONFIG` resumes it")
    return result


def write_report(result: Mapping[str, Any], out: str) -> str:
    """Writes figures, table and plot into a folder; returns the table."""
    text = markdown(result)
    filesystem, folder = open_uri(out)
    files = {
        "frontier.json": (json.dumps(result, indent=2) + "\n").encode(),
        "frontier.md": text.encode(),
        **plot(result),
    }
    with one_line_io_errors(folder):
        for name, data in files.items():
            atomic.write(f"{folder}/{name}", data, filesystem)
    return text


def strategy_runs(run: str, folder: str) -> dict[str, str]:
    """Writes the run directory that each strategy would have left; where they are, by strategy."""
    store, rollout = _fixed_run(run)
    rollouts = candidates(rollout)
    with one_line_io_errors(folder):
        made = write_runs(store, rollouts, folder)
    return dict(zip((rollout.description for rollout in rollouts), made, strict=True))


def _fixed_run(run: str) -> tuple[Store, RolloutConfig]:
    store = Store(run)
    if not store.exists("config.yaml"):
        raise UserError(f"{run}: no run is here; `visualprm dataset CONFIG` makes one")
    rollout = parse_config(yaml.safe_load(store.read_text("config.yaml"))).rollout
    if rollout.strategy != "fixed":
        raise UserError(
            f"{run}: rollout.strategy={rollout.strategy}, and a replay needs every draw: top the run up first "
            f"(input.ledger={run} rollout.strategy=fixed)"
        )
    check_run(store)
    return store, rollout


def _complete(solutions: Iterator[Recorded], rollout: RolloutConfig, run: str) -> Iterator[Recorded]:
    for solution in solutions:
        open_steps = solution.hits if rollout.complete_prefix == "sample" else solution.hits[:-1]
        if any(len(step) < rollout.num_draws for step in open_steps):
            raise UserError(f"{run}: {solution.solution_id} lacks some of its {rollout.num_draws} draws per prefix")
        yield solution


def _truths(run: str, rollout: RolloutConfig) -> Truths:
    """(k, n) of the draws beyond `rollout.num_draws`, which are independent of all that is replayed."""
    store, theirs = _fixed_run(run)
    first = rollout.num_draws
    if theirs.num_draws < first + 2:
        raise UserError(
            f"--truth {run}: rollout.num_draws={theirs.num_draws}: only draws beyond {first} tell the truth: "
            "set it to 64 or so"
        )

    def counted(hits: list[bool]) -> tuple[int, int] | None:
        return (sum(hits), len(hits)) if len(hits) > 1 else None

    return {
        (item.solution_id, item.seed): [counted(list(step[first:])) for step in item.hits] for item in recorded(store)
    }
