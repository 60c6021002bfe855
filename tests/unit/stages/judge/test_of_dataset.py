"""What a judge is given of a published dataset: the same as of the run that it was made from, in whatever order rows lie."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import EngineConfig, parse_config
from pipeline.errors import UserError
from pipeline.prompts import prompt_file
from pipeline.schemas import PUBLISHED_SCHEMA
from pipeline.store import Store
from stages.judge import of_dataset
from stages.judge.budget import Spent
from stages.judge.config import JudgingConfig
from stages.judge.judge import Judge
from stages.judge.of_dataset import JudgedDataset
from stages.judge.of_run import JudgedRun
from stages.judge.run import ToJudge, to_judge
from stages.publish.dataset import republish
from stages.verify.version import verifier_version
from tests.shards import row, step, write
from tests.unit.stages.publish.test_dataset import write_run

pytestmark = pytest.mark.usefixtures("shared_verifiers")
TEMPLATE = prompt_file("judge_v1.txt").read_text(encoding="utf-8")


def said(source: ToJudge, folder: Path) -> dict[str, dict[str, Any]]:
    """What the scripted judge says of each solution, by its id."""
    store = Store(str(folder))
    store.make()
    source.take_over(store, JudgingConfig(votes=2))
    settings = source.settings().model_copy(
        update={"engine": EngineConfig(kind="scripted", max_model_len=1 << 16), "run_dir": str(folder)}
    )

    async def judged() -> list[dict[str, Any]]:
        judge = Judge(settings, JudgingConfig(votes=2), TEMPLATE, "scripted", None, Spent())
        blocks = [pq.read_table(path) for path in store.problem_files()]
        return [each for block in blocks async for rows in judge(block) for each in rows.to_pylist()]

    found = asyncio.run(judged())
    assert [each["error"] for each in found] == [None] * len(found)
    return {one["solution_id"]: one for each in found for one in each["solutions"]}


def test_a_dataset_is_judged_as_its_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    republish([run], [])
    of_run = said(JudgedRun(Store(run)), tmp_path / "by-run")
    assert len(of_run) == 24
    assert said(JudgedDataset(str(tmp_path / "data/one")), tmp_path / "by-data") == of_run

    (shard,) = (tmp_path / "data/one").glob("*.parquet")
    rows = pq.read_table(shard)
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    (tmp_path / "mixed").mkdir()
    for number, part in enumerate((order[:13], order[13:])):
        path = tmp_path / f"mixed/train-0000{number}-of-00002.parquet"
        pq.write_table(rows.take(pa.array(part)), path, row_group_size=5)
    monkeypatch.setattr(of_dataset, "PROBLEMS_AT_ONCE", 2)
    assert said(JudgedDataset(str(tmp_path / "mixed")), tmp_path / "by-mixed") == of_run
    assert len(Store(str(tmp_path / "by-mixed")).problem_files()) == 3


def test_solutions_of_several_policies_are_judged_each(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, name, verifier=verifier_version()) for name in ("p1", "p2")]
    republish(runs, [f"output_dir={tmp_path}/both"])
    each = [said(JudgedRun(Store(run)), tmp_path / f"by-{Path(run).name}") for run in runs]
    assert said(JudgedDataset(str(tmp_path / "both")), tmp_path / "by-both") == {**each[0], **each[1]}


def taken(dataset: str, folder: Path, **judging: Any) -> None:
    store = Store(str(folder))
    store.make()
    JudgedDataset(dataset).take_over(store, JudgingConfig(**judging))


def test_what_can_not_be_judged_is_refused_with_its_row(tmp_path: Path) -> None:
    good = row(0, 0, [step("a", 3)])
    other = {**row(0, 1, [step("a", 3)]), "question": "What else?"}
    with pytest.raises(UserError, match="0/policy/s1: asks something else than another row of its problem"):
        taken(write(tmp_path / "other", [good, other]), tmp_path / "1")
    with pytest.raises(UserError, match="0/policy/s0 is the id of two rows"):
        taken(write(tmp_path / "twice", [good, good]), tmp_path / "2")
    with pytest.raises(UserError, match="'mine-7' is not <problem_id>/<policy key>/s<index>: `visualprm import`"):
        taken(write(tmp_path / "foreign", [{**good, "id": "mine-7"}]), tmp_path / "3")
    bare = write(tmp_path / "bare", [{**good, "answer": None}])
    taken(bare, tmp_path / "4")
    with pytest.raises(UserError, match=r"judge\.show_answer: .*0/policy/s0 has no answer"):
        taken(bare, tmp_path / "5", show_answer=True)
    short = pa.schema([field for field in PUBLISHED_SCHEMA if field.name != "question"])
    with pytest.raises(UserError, match="has no column 'question'"):
        taken(write(tmp_path / "short", [good], short), tmp_path / "6")


def test_the_key_is_that_of_the_shards(tmp_path: Path) -> None:
    one, same = (write(tmp_path / name, [row(0, 0, [step("a", 3)])]) for name in ("one", "same"))
    assert JudgedDataset(one).key() == JudgedDataset(same).key()
    write(tmp_path / "one", [row(0, 0, [step("b", 3)])])
    assert JudgedDataset(one).key() != JudgedDataset(same).key()


def test_a_dataset_and_its_judgements_lie_beside_each_other(tmp_path: Path) -> None:
    found = to_judge(write(tmp_path / "data", [row(0, 0, [step("a", 3)])]))
    assert (found.what, found.home.root) == ("dataset", f"{tmp_path}/data.judgements")
    assert not found.written_by(EngineConfig(kind="scripted"), "scripted")
    (tmp_path / "data/stats.json").write_text('{"policies": [{"policy_model": "scripted"}]}')
    assert found.written_by(EngineConfig(kind="scripted"), "scripted")
    assert parse_config(found.settings().model_dump(mode="json")).sources[0].path == str(tmp_path / "data")
