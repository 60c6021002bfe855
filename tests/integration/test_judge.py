"""`visualprm judge` on real Ray: killed, or ended by its budget, it goes on and says the same; publishing and comparing use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store
from tests.documented import json_keys
from tests.integration.conftest import Command, Start
from tests.places import ROOT

CONFIG = ROOT / "configs" / "judge_scripted.yaml"


def rows(run: Path) -> list[dict]:
    store = Store(str(run / "judgements" / "scripted"))
    found = [row for path in store.ledger_files() for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: row["problem_id"])


def table(dataset: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(dataset.glob("*.parquet")))


def committed(run: Path) -> int:
    return len(Store(str(run / "judgements" / "scripted")).done_ids())


def spent(run: Path) -> int:
    return sum(row["num_prompt_tokens"] + row["num_tokens"] for row in rows(run))


def test_a_judge_that_is_killed_goes_on_and_says_the_same(
    finished: Path, tmp_path: Path, visualprm: Command, start: Start
) -> None:
    whole, killed = (shutil.copytree(finished / "run", tmp_path / name) for name in ("whole", "killed"))
    votes = "judge.votes=2"
    done = visualprm("judge", whole, "--with", CONFIG, votes, "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "wrote these solutions itself" in done.stderr, "the judge is the policy, and a warning says so"
    said = json.loads(done.stdout)
    assert said.keys() == json_keys("judge")
    assert (said["problems"], said["unread"], said["failed"]) == (24, {}, {})
    assert said["votes"] == 2 * said["solutions"]
    assert {name.name for name in (whole / "judgements/scripted").iterdir()} >= {
        "ledger.json",
        "annotations",
        "manifest.json",
    }

    slow = [
        "judge",
        killed,
        "--with",
        CONFIG,
        votes,
        "engine.args.engine_tokens_per_second=4000",
        "ray.rows_per_block=2",
    ]
    process = start(*slow)
    deadline = time.time() + 300
    while len(list((killed / "judgements/scripted/checkpoint").glob("*.parquet"))) < 2:
        assert time.time() < deadline, "it commits nothing"
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = committed(killed)
    done = visualprm(*slow, "judge.budget=1")
    assert done.returncode == 2
    assert "judge.budget=1 is spent" in done.stderr
    done = visualprm(*slow, f"judge.budget={spent(killed) + 1}", "engine.max_in_flight=2")
    assert done.returncode == 2, done.stderr[-3000:]
    assert "problems are judged; the same command with a larger judge.budget goes on" in done.stderr
    assert before < committed(killed) < 24
    done = visualprm(*slow)
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(killed) == rows(whole)

    out = tmp_path / "data"
    done = visualprm("publish", whole, "label.kind=consensus", f"output_dir={out}")
    assert done.returncode == 0, done.stderr[-3000:]
    published = pq.read_table(next(out.glob("*.parquet"))).to_pylist()
    assert all(len(row["judge_verdict"]) == len(row["steps_with_score"]) for row in published)

    # The dataset that the run was published as, judged by the same judge, says the same.
    plain = shutil.copytree(finished / "data", tmp_path / "plain")
    done = visualprm("judge", plain, "--with", CONFIG, votes, "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    again = json.loads(done.stdout)
    assert {**again, "place": None, "failed": {}} == {**said, "place": None}
    assert again["place"] == f"{plain}.judgements/scripted"
    for kind in (["label.kind=consensus"], ["label.kind=consensus", "label.agreement=first_error"]):
        assert visualprm("publish", whole, *kind, f"output_dir={out}").returncode == 0
        done = visualprm("publish", plain, *kind, f"output_dir={tmp_path / 'relabelled'}")
        assert done.returncode == 0, done.stderr[-3000:]
        assert table(tmp_path / "relabelled").equals(table(out))
    done = visualprm("judge", plain, "--with", CONFIG, "judge.votes=3")
    assert done.returncode == 2
    assert "made with other settings: judge.votes (2, now 3)" in done.stderr

    done = visualprm("label-kinds", whole, "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [kind["name"] for kind in json.loads(done.stdout)["kinds"]][3:] == [
        "judge",
        "consensus by step",
        "consensus on the first error",
    ]


def test_what_cannot_be_judged_so_is_refused_in_one_line(finished: Path, tmp_path: Path, visualprm: Command) -> None:
    run = shutil.copytree(finished / "run", tmp_path / "run")
    done = visualprm("judge", run, "--with", CONFIG, "judge.prompt=nowhere.txt")
    assert done.returncode == 2
    assert "judge.prompt: nowhere.txt: no such file" in done.stderr
    assert visualprm("judge", run, "--with", CONFIG, "judge.votes=2").returncode == 0
    done = visualprm("judge", run, "--with", CONFIG, "judge.votes=3")
    assert done.returncode == 2
    assert "made with other settings: judge.votes (2, now 3)" in done.stderr
