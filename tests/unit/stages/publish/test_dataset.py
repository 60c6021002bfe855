"""`visualprm publish`: one run or several, from any working directory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.cli import main
from pipeline.config import parse_config
from pipeline.errors import UserError
from pipeline.records import ledger_row, problem_row
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, table
from pipeline.settings import dump_settings
from pipeline.store import Store, full
from stages.judge.answer import Opinion
from stages.judge.of_run import JudgedRun
from stages.judge.records import JudgedSolution, Vote
from stages.publish.dataset import publish_run, republish
from stages.publish.published import is_published
from stages.verify.version import verifier_version
from tests.unit.stages.judge.test_verdicts import judgement, ledger
from tests.unit.stages.publish.test_rows import annotate, make_problem, read

pytestmark = pytest.mark.usefixtures("shared_verifiers")

REFUSED = {"source": "bars", "id": "r", "reason": "missing_image", "detail": ""}


def write_run(folder: Path, policy: str, *settings: str, seeds: range = range(6), verifier: str | None = None) -> str:
    """A finished run over some problems."""
    store = Store(str(folder))
    store.make()
    problems = sorted((make_problem(seed) for seed in seeds), key=lambda problem: problem.problem_id)
    items = [dataclasses.replace(annotate(problem, policy=policy), verifier=verifier) for problem in problems]
    for name, rows, schema in (
        ("problems/part-00000", map(problem_row, problems), PROBLEM_SCHEMA),
        ("annotations/0-part", (ledger_row(item) for item in items), LEDGER_SCHEMA),
        ("checkpoint/0", ({"problem_id": problem.problem_id} for problem in problems), PROBLEM_SCHEMA),
    ):
        path = folder / f"{name}.parquet"
        path.parent.mkdir()
        pq.write_table(table(rows, schema), path)
    sources = [{"name": name, "path": "rows.jsonl", "verify": ["number"]} for name in ("bars", "shapes")]
    config = parse_config({"name": folder.name, "sources": sources, "rollout": {"num_draws": 4}}, settings)
    output = full(str(folder.parent / "data" / folder.name))
    store.write_text("config.yaml", dump_settings(config.model_copy(update={"output_dir": output})))
    prompts = {config.prompt, "prompt.txt"}
    store.write_json("ledger.json", {f"prompt text of {name}": "{question}" for name in prompts})
    store.write_json("problems.json", {"rejected": {"missing_image": 1}})
    store.write_jsonl("quarantine/load.jsonl", [REFUSED])
    return str(folder)


def test_a_run_without_a_solution_publishes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "one", "p1", seeds=range(0))
    with pytest.raises(SystemExit, match="2"):
        main(["publish", run])
    assert (
        f"visualprm: {run}: no problem has a solution, so nothing is published: quarantine/" in capsys.readouterr().err
    )
    assert not (tmp_path / "data" / "one").exists()


def test_runs_whose_steps_were_cut_otherwise_make_no_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_run(tmp_path / "one", "p1")
    two = write_run(tmp_path / "two", "p2", "split.kind=sentences")
    with pytest.raises(SystemExit, match="2"):
        main(["publish", one, two, f"output_dir={tmp_path}/both"])
    assert f"split: {one} and {two} cut solutions otherwise (split at blank lines" in capsys.readouterr().err


def test_runs_of_which_one_begins_inside_the_thinking_make_no_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_run(tmp_path / "one", "p1", "split.part=answer")
    two = write_run(tmp_path / "two", "p2", "split.part=answer")
    for run, opened in ((one, False), (two, True)):
        note = {"kind": "vllm", "model": run, "versions": None, "opened": opened}
        Store(run).write_json("engines/0.json", note)
    with pytest.raises(SystemExit, match="2"):
        main(["publish", one, two, f"output_dir={tmp_path}/both"])
    assert f"solutions begin inside the thinking in {two}, not in {one}: publish" in capsys.readouterr().err
    Store(one).write_json("engines/0.json", {"kind": "vllm", "model": one, "versions": None, "opened": True})
    main(["publish", one, two, f"output_dir={tmp_path}/both"])
    assert json.loads((tmp_path / "both/stats.json").read_text())["split"]["opened"] is True


def test_two_policies_make_one_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_run(tmp_path / "one", "p1", "sampling.top_k=50")
    two = write_run(tmp_path / "two", "p2", "sampling.top_k=20", "engine.model=b/c")
    main(["publish", one, two, f"output_dir={tmp_path}/both", "publish.row_group_rows=64"])
    rows = read(tmp_path / "both")
    assert len(rows) == 2 * 6 * 4
    assert {row["id"].split("/")[1] for row in rows} == {"p1", "p2"}
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    stats = json.loads((tmp_path / "both/stats.json").read_text())
    # Both runs read the same sources, so it is the same row that both refused.
    assert stats["total"]["quarantined"] == {"missing_image": 1}
    assert (stats["total"]["problems"], stats["total"]["contaminated"]) == (6, None)
    card = (tmp_path / "both/README.md").read_text()
    assert card.startswith("---\npretty_name: both\n")
    for words in ("top-k 50", "top-k 20", "Configuration of run 1, `demo/policy`", "Configuration of run 2, `b/c`"):
        assert words in card
    assert "lacks" not in capsys.readouterr().err
    # Neither run takes itself for published there.
    assert not (tmp_path / "one/published.json").exists()


def test_other_problems_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = write_run(tmp_path / "one", "p1"), write_run(tmp_path / "two", "p1", seeds=range(6, 9))
    republish([one, two], [f"output_dir={tmp_path}/both"])
    assert len(read(tmp_path / "both")) == 9 * 4
    error = capsys.readouterr().err
    assert f"{one}: lacks 3 of 9 problems" in error
    assert f"{two}: lacks 6 of 9 problems" in error


@pytest.mark.parametrize(
    ("policy", "settings", "overrides", "words"),
    [
        ("p2", [], [], "say where with output_dir=…"),
        ("p1", [], ["output_dir={}/both"], "the same problem by the same policy (p1)"),
        ("p2", ["label.threshold=0.25"], ["output_dir={}/both"], "label: "),
        ("p2", ["sources.1.verify=[text]"], ["output_dir={}/both"], "source 'shapes': answers are judged by number in"),
        (
            "p2",
            ["contamination={against: [{name: a, path: b}]}"],
            ["output_dir={}/both"],
            "they were compared with different benchmarks",
        ),
        (
            "p2",
            ["verify.compat=internvl"],
            ["output_dir={}/both"],
            "verify.compat is null in {0}/one and internvl in {0}/two: ",
        ),
        (
            "p2",
            ["rollout.complete_prefix=sample"],
            ["output_dir={}/both"],
            "rollout.complete_prefix is own_answer in {0}/one and sample in {0}/two: ",
        ),
        ("p2", [], ["output_dir={}/both", "sampling.top_k=1"], "publishing takes only label, publish, output_dir"),
    ],
)
def test_runs_that_do_not_go_together(
    tmp_path: Path, policy: str, settings: list[str], overrides: list[str], words: str
) -> None:
    runs = [write_run(tmp_path / "one", "p1"), write_run(tmp_path / "two", policy, *settings)]
    with pytest.raises(UserError) as caught:
        republish(runs, [override.format(tmp_path) for override in overrides])
    assert words.format(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize(
    ("kind", "more"), [("band", ["label.low=0", "label.high=0.5"]), ("interval", ["label.threshold=0.5"])]
)
def test_another_kind_of_label_takes_labels_away_and_counts_them(tmp_path: Path, kind: str, more: list[str]) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    out = tmp_path / "out"
    republish([run], [f"output_dir={out}", f"label.threshold={0.5 if kind == 'interval' else 0}"])
    before = [step for row in read(out) for step in row["steps_with_score"]]
    republish([run], [f"output_dir={out}", f"label.kind={kind}", *more])
    after = [step for row in read(out) for step in row["steps_with_score"]]
    assert [{**step, "label": None} for step in after] == [{**step, "label": None} for step in before]
    pairs = [(one["label"], other["label"]) for one, other in zip(before, after, strict=True)]
    figures = json.loads((out / "stats.json").read_text())
    counts = figures["total"]["label_kind"]
    kept = [pair for pair in pairs if pair[1] is not None]
    assert 0 < counts["kept"] == len(kept) < counts["labelled_by_mc"] == len(pairs)
    assert counts["kept_share"] == len(kept) / len(pairs)
    assert counts["differing"] == sum(one != other for one, other in kept)
    assert sum(each["label_kind"]["kept"] for each in figures["sources"].values()) == len(kept)
    assert figures["label"]["kind"] == kind
    card = (out / "README.md").read_text()
    assert f"`label.kind: {kind}`" in card
    assert f"{len(kept):,}" in card.split("\n## Labels\n")[1].split("\n## ")[0]


def test_a_kind_that_asks_how_far_is_refused_where_draws_stopped_at_a_success(tmp_path: Path) -> None:
    run = write_run(tmp_path / "one", "p1", "rollout.strategy=first_success")
    with pytest.raises(UserError, match=r"label\.kind=band with rollout\.strategy=first_success"):
        republish([run], ["label.kind=band"])


@pytest.mark.parametrize("kind", ["judge", "consensus"])
def test_labels_that_heed_a_judge_say_what_it_says(tmp_path: Path, kind: str) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    out = tmp_path / "out"
    republish([run], [f"output_dir={out}"])
    before = {row["id"]: row for row in read(out)}
    said = judged(Path(run), before)
    republish([run], [f"output_dir={out}", f"label.kind={kind}"])
    after = {row["id"]: row for row in read(out)}
    for key, row in after.items():
        mc = [step["label"] for step in before[key]["steps_with_score"]]
        labels = [step["label"] for step in row["steps_with_score"]]
        assert row["judge_verdict"] == [verdict if key in said else None for verdict in said.get(key, mc)]
        assert row["judge_votes"] == [1 if key in said else None] * len(mc)
        by_judge = [{"correct": "+", "incorrect": "-"}.get(verdict or "") for verdict in row["judge_verdict"]]
        agreed = [one if one == other else None for one, other in zip(mc, by_judge, strict=True)]
        assert labels == (by_judge if kind == "judge" else agreed)
    figures = json.loads((out / "stats.json").read_text())
    assert figures["judges"][0]["name"] == "anna"
    card = (out / "README.md").read_text()
    assert "`judge_verdict`" in card
    assert "`anna`" in card
    # And without a judge everything is as it was.
    republish([run], [f"output_dir={out}"])
    assert {row["id"]: row for row in read(out)} == before


def test_a_judge_must_be_there_be_chosen_and_be_through(tmp_path: Path) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    with pytest.raises(UserError, match="nobody has judged this run: call `visualprm judge"):
        republish([run], ["label.kind=judge"])
    republish([run], [])
    rows = {row["id"]: row for row in read(tmp_path / "data/one")}
    judged(Path(run), rows)
    with pytest.raises(UserError, match=r"label\.judge=ben: .* has judgements of anna alone"):
        republish([run], ["label.kind=judge", "label.judge=ben"])
    judged(Path(run), rows, "ben", problems=2)
    with pytest.raises(UserError, match=r"has judgements of anna, ben: choose by label\.judge"):
        republish([run], ["label.kind=judge"])
    with pytest.raises(UserError, match="problems are not judged yet: call `visualprm judge` again"):
        republish([run], ["label.kind=judge", "label.judge=ben"])


def test_judgements_of_another_ledger_are_refused(tmp_path: Path) -> None:
    run = Path(write_run(tmp_path / "one", "p1", verifier=verifier_version()))
    republish([str(run)], [])
    judged(run, {row["id"]: row for row in read(tmp_path / "data/one")})
    (path,) = (run / "annotations").iterdir()
    path.rename(path.with_name("0-other.parquet"))
    with pytest.raises(
        UserError, match=r"anna: holds judgements of other solutions: ledger \(.*judge again under another"
    ):
        republish([str(run)], ["label.kind=judge"])


def judged(
    run: Path, rows: Mapping[str, dict], name: str = "anna", problems: int | None = None
) -> dict[str, list[str]]:
    """A ledger of judgements of most solutions of these rows: what it says of each step. All `problems` are done, or so many."""
    folder = run / "judgements" / name
    shutil.copytree(run / "problems", folder / "problems")
    said: dict[str, list[str]] = {}
    held: dict[str, list[JudgedSolution]] = {}
    for number, (key, row) in enumerate(sorted(rows.items())):
        verdicts = [
            ("correct", "incorrect", "neutral")[(number + step) % 3] for step in range(len(row["steps_with_score"]))
        ]
        solutions = held.setdefault(key.partition("/")[0], [])
        if number % 5:
            opinions = tuple(Opinion(verdict, "none") for verdict in verdicts)  # type: ignore[arg-type]
            solutions.append(JudgedSolution(key, len(verdicts), [Vote(1, 9, None, opinions)]))
            said[key] = verdicts
    store = ledger(folder, [judgement(key, own) for key, own in list(held.items())[:problems]])
    store.write_json(
        "ledger.json",
        {
            "engine.kind": "scripted",
            "engine.model": "m",
            "judge.prompt": "p.txt",
            "judge.votes": 1,
            "ledger": JudgedRun(Store(str(run))).key(),
        },
    )
    return said


def test_an_override_settles_what_differs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "one", "p1"), write_run(tmp_path / "two", "p2", "label.threshold=0.25")]
    republish(runs, [f"output_dir={tmp_path}/both", "label.threshold=0.5"])
    assert len(read(tmp_path / "both")) == 48


def test_the_output_does_not_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "one", "p1")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    republish([run], [])
    assert (tmp_path / "data/one/stats.json").exists()
    republish([run], ["output_dir=mine"])  # what is typed is meant from here
    assert (tmp_path / "elsewhere/mine/stats.json").exists()
    assert yaml.safe_load((tmp_path / "one/config.yaml").read_text())["output_dir"] == f"{tmp_path}/data/one"


@pytest.mark.parametrize("overrides", [[], ["verify.compat=internvl"], ["sources.0.verify=[exact]"]])
def test_the_runs_own_labels_come_back_after_others_in_their_place(tmp_path: Path, overrides: list[str]) -> None:
    store = Store(write_run(tmp_path / "one", "p1", verifier=verifier_version()))
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")))
    assert not is_published(store, config)
    publish_run(store, config)
    assert is_published(store, config)
    own = read(tmp_path / "data/one")
    republish([store.uri], overrides, reverify=True)
    assert read(tmp_path / "data/one") != own
    assert not is_published(store, config)
    publish_run(store, config)
    assert read(tmp_path / "data/one") == own
    workers = config.model_copy(update={"verify": config.verify.model_copy(update={"workers": 2})})
    assert is_published(store, workers)


def test_a_dataset_of_several_runs_in_a_runs_own_place_is_not_taken_for_its_own(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "one", "p1"), write_run(tmp_path / "two", "p2")
    store = Store(one)
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")))
    publish_run(store, config)
    own = read(tmp_path / "data/one")
    republish([one, two], [f"output_dir={tmp_path}/data/one"])
    assert len(read(tmp_path / "data/one")) == 2 * len(own)
    assert not is_published(store, config)
    publish_run(store, config)
    assert read(tmp_path / "data/one") == own
    assert is_published(store, config)


def test_settings_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["publish", "label.threshold=0.5"])
    assert caught.value.code == 2
    assert "name a run directory" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["publish", f"{tmp_path}/none?a=b"])
    assert "no run with loaded problems is here" in capsys.readouterr().err


def test_the_statistics_say_what_drew_and_what_judged(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", "p1")
    two = write_run(tmp_path / "two", "p2", "engine.kind=scripted")
    held = Store(one).read_json("ledger.json")
    Store(one).write_json("ledger.json", {**held, "engine.model": "policy@0123"})
    note = {"kind": "scripted", "model": "scripted", "versions": {"visualprm": "0.1.0"}}
    Store(two).write_json("engines/0.json", note)
    republish([one, two], [f"output_dir={tmp_path}/both"])
    stats = json.loads((tmp_path / "both/stats.json").read_text())
    assert stats["engines"] == [{"kind": "vllm", "model": "policy@0123", "versions": None}, note]
    # Timeouts, and what stands beside them, are judged once more, by today's.
    assert stats["verifiers"] == [None, verifier_version()]
    republish([one], [f"output_dir={tmp_path}/again"], reverify=True)
    assert json.loads((tmp_path / "again/stats.json").read_text())["verifiers"] == [verifier_version()]


def test_an_output_that_cannot_be_written_costs_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path(write_run(tmp_path / "one", "p1"))

    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("stages.publish.dataset.tell", closed)
    with pytest.raises(BrokenPipeError):
        republish([str(run)], [])
    assert (run / "quarantine/annotate.jsonl").exists()
    stats = (tmp_path / "data/one/stats.json").read_bytes()
    assert json.loads((run / "published.json").read_text())["stats"] == hashlib.sha256(stats).hexdigest()
