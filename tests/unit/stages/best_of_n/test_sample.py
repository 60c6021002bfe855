"""Sampling a pool, as far as no engine is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config import load_config, parse_config
from pipeline.errors import UserError
from pipeline.store import Store
from stages.best_of_n.pool import read_rows
from stages.best_of_n.sample import _judged, pool_config, sample_pool
from stages.verify import VerifierPool
from stages.verify.version import verifier_version
from tests.integration.conftest import scripted
from tests.unit.stages.best_of_n.test_pool import make
from tests.unit.stages.publish.test_reverify import add, make_run


def test_a_pools_places_are_beside_the_datasets(tmp_path: Path) -> None:
    config = load_config(str(scripted(tmp_path, run_dir="s3://b/runs/x?region=us-east-1", output_dir="data/x/")), [])
    pool = pool_config(config, 8, False)
    assert pool.run_dir == "s3://b/runs/x-bon8?region=us-east-1"
    assert pool.output_dir == "data/x-bon8"


def test_another_pool_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    pool = make(tmp_path / "pool", problems=2)
    config = pool_config(load_config(str(scripted(tmp_path)), []), 3, False)
    with pytest.raises(UserError, match="holds another frozen pool"):
        sample_pool(config, str(pool))
    assert not Path(config.run_dir).exists()


@pytest.mark.parametrize(("older", "again"), [("1 math-verify=0.8.0", True), ("today's", False)])
def test_a_pool_holds_the_verdicts_of_one_verifier(tmp_path: Path, older: str, again: bool) -> None:
    older = verifier_version() if older == "today's" else older
    store = make_run(tmp_path, (), num_draws=1, verifier=older)
    add(store, make_run(tmp_path / "later", (), num_draws=1, question="And now?", verifier=verifier_version()))
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")))
    rows: list[dict[str, Any]] = [
        {"problem_id": key, "verifier": by, "solutions": solutions} for key, by, solutions in ledger_of(store)
    ]
    problems = {row["problem_id"]: row for path in store.problem_files() for row in read_rows(path, store)}
    for row in rows:
        row["solutions"][0]["verdict"]["status"] = "incorrect"

    async def all_judged() -> list[str]:
        with VerifierPool(1, 5.0) as pool:
            give = _judged(store, config, pool)
            found = [await give(problems[row["problem_id"]], row) for row in rows]
        return [solutions[0]["verdict"]["status"] for solutions in found]

    # The ledger's word is wrong here: only what is judged again is right.
    wanted = ["correct" if again and row["verifier"] == older else "incorrect" for row in rows]
    assert asyncio.run(all_judged()) == wanted


def ledger_of(store: Store) -> list[tuple[str, str, list[dict[str, Any]]]]:
    rows = [row for path in store.ledger_files() for row in pq.read_table(path).to_pylist()]
    return [(row["problem_id"], row["verifier"], row["solutions"]) for row in rows]
