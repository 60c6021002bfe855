"""Stored draws judged anew: what changes, what is reported, and what stays as it is."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import records, schemas
from pipeline.config import parse_config
from pipeline.errors import UserError
from pipeline.records import AnnotatedProblem, Draw, Image, Problem, Solution, Step, Verdict, VerdictStatus
from pipeline.store import Store
from stages.publish.dataset import republish
from stages.verify.of_run import _file_name
from stages.verify.version import verifier_version
from tests.unit.stages.publish.test_rows import noise_png

pytestmark = pytest.mark.usefixtures("shared_verifiers")

OPTIONS = ("10", "54", "72")


def draw(text: str, status: VerdictStatus, mode: str = "choice") -> Draw:
    return Draw((1, 2), text, "stop", 7, Verdict(status, None, mode))


def make_run(
    folder: Path,
    draws: tuple[Draw, ...],
    strategy: str = "fixed",
    num_draws: int | None = None,
    *,
    question: str = "How many?",
    verifier: str | None = None,
) -> Store:
    """A finished run of one problem (gold: B) with one solution of two steps and `draws` after the first."""
    image = Image.of(noise_png(1))
    key = Problem.make_id("mine", question, "B", [image.sha256], OPTIONS)
    problem = Problem(key, "mine", "1", question, "B", (image,), OPTIONS, ("choice", "math"), 1, "prompts/p.txt")
    steps = (
        Step("It is 54.", 0, 2, True, draws, origin="measured"),
        Step("Final answer: B", 2, 4, True, origin="own_answer"),
    )
    solution = Solution(
        f"{key}/abc/s0",
        "It is 54.\n\nFinal answer: B",
        (1, 2, 3, 4),
        "stop",
        5,
        Verdict("correct", "B", "choice"),
        steps,
    )
    item = AnnotatedProblem(problem, (solution,), "m", "abc", question, "sha", strategy, verifier=verifier)
    config = {
        "name": "mine",
        "run_dir": str(folder / "run"),
        "output_dir": str(folder / "data"),
        "sources": [{"name": "mine", "path": "mine.jsonl", "verify": ["choice", "math"]}],
        "rollout": {"strategy": strategy, "num_draws": num_draws or len(draws)},
    }
    store = Store(str(folder / "run"))
    for name in ("problems", "annotations", "checkpoint", "quarantine"):
        store.filesystem.create_dir(store.path(name), recursive=True)
    pq.write_table(
        schemas.table([records.problem_row(problem)], schemas.PROBLEM_SCHEMA), store.path("problems", "part-0.parquet")
    )
    row = schemas.table([records.ledger_row(item)], schemas.LEDGER_SCHEMA)
    pq.write_table(row, store.path("annotations", "x_000000-0.parquet"))
    pq.write_table(row.select(["problem_id"]), store.path("checkpoint", "x_000000.parquet"))
    store.write_text("quarantine/load.jsonl", "")
    store.write_json("problems.json", {"rejected": {}})
    store.write_json("ledger.json", {"prompt text of prompts/p.txt": "{question} \\boxed{}"})
    store.write_text("config.yaml", yaml.safe_dump(config))
    return store


def published_steps(folder: Path) -> list[dict]:
    (steps,) = all_published_steps(folder)
    return steps


def all_published_steps(folder: Path) -> list[list[dict]]:
    rows = [row for path in (folder / "data").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return [row["steps_with_score"] for row in rows]


def digest(store: Store) -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for path in store.files("annotations", ".parquet")}


def test_new_verdicts_flip_labels_and_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_run(tmp_path, (draw("Final answer: A 54", "correct"), draw("Final answer: A 54", "incorrect")))
    before = digest(store)
    republish([store.uri], [])
    assert published_steps(tmp_path)[0]["label"] == "+"
    republish([store.uri], [], reverify=True)
    steps = published_steps(tmp_path)
    assert [(step["label"], step["num_mc_correct"], step["num_mc_total"]) for step in steps] == [
        ("-", 0, 2),
        ("+", 1, 1),
    ]
    told = capsys.readouterr().out
    assert "judged again: 3 verdicts, 1 changed; 2 steps, 1 labels flipped" in told
    assert "mine, choice: 1 verdicts correct → incorrect" in told
    assert "mine, choice: 1 of 2 steps + → -" in told
    assert store.read_json("reverified/flips.json")["flipped_steps"] == [
        {"source": "mine", "modes": "choice", "old": "+", "new": "-", "steps": 1}
    ]
    assert digest(store) == before
    republish([store.uri], [])
    assert published_steps(tmp_path)[0]["label"] == "+"


@pytest.mark.parametrize("strategy", ["first_success", "sequential_ci", "right_to_left", "binary_search"])
@pytest.mark.parametrize(
    ("drawn", "found", "short"),
    [(2, (None, None, "measured"), 1), (4, ("-", 4, "measured"), 0)],
)
def test_a_success_taken_back_leaves_no_label_where_drawing_stopped_at_it(
    tmp_path: Path,
    strategy: str,
    drawn: int,
    found: tuple[str | None, int | None, str],
    short: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    miss = draw("Final answer: A 54", "incorrect")
    store = make_run(tmp_path, (*[miss] * (drawn - 1), draw("Final answer: A 54", "correct")), strategy, num_draws=4)
    republish([store.uri], [], reverify=True)
    step = published_steps(tmp_path)[0]
    assert (step["label"], step["num_mc_total"], step["origin"]) == found
    report = store.read_json("reverified/flips.json")
    assert report["cut_short_steps"] == short
    assert [row["new"] for row in report["flipped_steps"]] == [found[0] or "null"]
    assert ("top the run up with rollout.strategy=fixed" in capsys.readouterr().out) == bool(short)


def test_other_modes_can_be_tried(tmp_path: Path) -> None:
    store = make_run(tmp_path, (draw("Final answer: 54", "correct"),))
    republish([store.uri], ["sources.0.verify=[choice]"], reverify=True)
    assert published_steps(tmp_path)[0]["label"] == "+"
    republish([store.uri], ["sources.0.verify=[exact]"], reverify=True)
    assert published_steps(tmp_path)[0]["label"] == "-"


WRONG = "Final answer: A 54"
"""Names the wrong option beside the right one's text: an earlier verifier accepted it."""


def add(store: Store, other: Store) -> None:
    """Puts the files of another run of one problem beside those of `store`, as a later call on one run would."""
    for source, target in (
        ("problems/part-0", "problems/part-1"),
        ("annotations/x_000000-0", "annotations/y_000000-0"),
        ("checkpoint/x_000000", "checkpoint/y_000000"),
    ):
        shutil.copyfile(other.path(f"{source}.parquet"), store.path(f"{target}.parquet"))


@pytest.mark.parametrize(
    ("older", "newer", "again"),
    [
        (None, verifier_version(), True),
        ("1 math-verify=0.8.0", verifier_version(), True),
        (None, None, False),
        ("1 math-verify=0.8.0", "1 math-verify=0.8.0", False),
    ],
)
def test_verdicts_of_two_verifiers_are_not_mixed(
    tmp_path: Path, older: str | None, newer: str | None, again: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_run(tmp_path, (draw(WRONG, "correct"),), verifier=older)
    add(store, make_run(tmp_path / "later", (draw(WRONG, "correct"),), question="And now?", verifier=newer))
    before = digest(store)
    republish([store.uri], [])
    first = [steps[0]["label"] for steps in all_published_steps(tmp_path)]
    # The newer one's verdict stands, whatever it is: today's verifier gave it.
    assert sorted(map(str, first)) == (["+", "-"] if again else ["+", "+"])
    told = capsys.readouterr().out
    assert ("verdicts of an earlier verifier are mixed with newer ones" in told) == again
    assert ("mine, choice: 1 verdicts correct → incorrect" in told) == again
    assert digest(store) == before


def test_runs_of_two_verifiers_are_not_mixed_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_run(tmp_path, (draw(WRONG, "correct"),))
    later = make_run(tmp_path / "b", (draw(WRONG, "incorrect"),), question="And now?", verifier=verifier_version())
    republish([store.uri, later.uri], [f"output_dir={tmp_path / 'data'}"])
    assert [steps[0]["label"] for steps in all_published_steps(tmp_path)] == ["-", "-"]
    assert "mine, choice: 1 verdicts correct → incorrect" in capsys.readouterr().out


def section(store: Store, folder: str, ledger: Sequence[str]) -> str:
    return f"made from {Path(ledger[0]).parent.name}"


def test_the_whole_card_goes_by_the_new_verdicts(tmp_path: Path) -> None:
    store = make_run(tmp_path, (draw("Final answer: A 54", "correct"),) * 2, "right_to_left")
    config = yaml.safe_load(store.read_text("config.yaml"))
    config["rollout"]["audit_fraction"] = 1.0
    config["publish"] = {"card_sections": [f"{__name__}:section"]}
    store.write_text("config.yaml", yaml.safe_dump(config))
    for reverify, differing, made_from in ((False, "0.00 %", "annotations"), (True, "50.00 %", "reverified")):
        republish([store.uri], [], reverify=reverify, run_code=True)
        card = (tmp_path / "data/README.md").read_text()
        assert f"{differing} differ from those of all draws" in card
        assert f"made from {made_from}" in card


def with_parts(store: Store, *files: str) -> None:
    """Gives the run sources that name their problems by a field of the row; `mine` is a part of one of them."""
    config = yaml.safe_load(store.read_text("config.yaml"))
    config["sources"] = [
        {"name": f"all{index}", "path": path, "verify": ["choice", "math"], "fields": {"source": "part"}}
        for index, path in enumerate(files)
    ]
    store.write_text("config.yaml", yaml.safe_dump(config))


def test_a_part_has_the_modes_of_the_source_that_it_must_be_of(tmp_path: Path) -> None:
    store = make_run(tmp_path, (draw("Final answer: 54", "correct"),))
    with_parts(store, "one.jsonl")
    republish([store.uri], ["sources.0.verify=[exact]"], reverify=True)
    assert published_steps(tmp_path)[0]["label"] == "-"
    with_parts(store, "one.jsonl", "two.jsonl")
    with pytest.raises(UserError, match="a problem of 'mine' can be of all0 or of all1"):
        republish([store.uri], ["sources.1.verify=[exact]"], reverify=True)
    republish([store.uri], ["sources.0.verify=[exact]", "sources.1.verify=[exact]"], reverify=True)
    assert published_steps(tmp_path)[0]["label"] == "-"


def test_the_reference_judges_a_part_by_its_sources_file(tmp_path: Path) -> None:
    store = make_run(tmp_path, (draw("so \\boxed{54.1}", "incorrect"),))
    with_parts(store, "chartqa_en.jsonl")
    config = parse_config(yaml.safe_load(store.read_text("config.yaml")))
    assert _file_name("mine", config) == "chartqa_en"
    with_parts(store, "chartqa_en.jsonl", "geoqa.jsonl")
    with pytest.raises(UserError, match="all0, all1 is named by its part"):
        republish([store.uri], ["verify.compat=internvl"], reverify=True)


def test_the_reference_can_decide(tmp_path: Path) -> None:
    store = make_run(
        tmp_path, (draw("so \\boxed{(B) no such option}", "incorrect"), draw("Final answer: B", "correct"))
    )
    republish([store.uri], ["verify.compat=internvl"], reverify=True)
    first, last = published_steps(tmp_path)
    assert (first["num_mc_correct"], last["label"]) == (1, "-")


@pytest.mark.parametrize("status", ["timeout", "error"])
def test_a_verdict_of_the_machine_is_judged_once_more_and_nothing_else_is(
    tmp_path: Path, status: VerdictStatus
) -> None:
    late = Draw((1,), "Final answer: B", "stop", 7, Verdict(status, "B", "math"))
    store = make_run(tmp_path, (late, draw("Final answer: B", "incorrect")), verifier=verifier_version())
    before = digest(store)
    republish([store.uri], [])
    assert published_steps(tmp_path)[0]["num_mc_correct"] == 1
    assert digest(store) == before


def test_beside_a_late_verdict_an_earlier_verifiers_do_not_stand(tmp_path: Path) -> None:
    """Of two equal draws one would be judged by today's verifier and the other not."""
    late = Draw((1,), WRONG, "stop", 7, Verdict("timeout"))
    store = make_run(tmp_path, (draw(WRONG, "correct"), late), verifier="1 math-verify=0.8.0")
    republish([store.uri], [])
    assert published_steps(tmp_path)[0]["num_mc_correct"] == 0


def test_what_the_disk_refuses_is_one_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        store = make_run(disk, (draw("Final answer: B", "timeout"),))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(UserError, match="Read-only file system"):
            republish([store.uri], [f"output_dir={tmp_path}/data"], reverify=True)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        with contextlib.suppress(OSError):
            (disk / "rest").write_bytes(bytes(1 << 20))
        for reverify in (False, True):
            with pytest.raises(UserError, match="no space left on the device"):
                republish([store.uri], [f"output_dir={tmp_path}/data"], reverify=reverify)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_settings_of_the_ledger_are_refused(tmp_path: Path) -> None:
    store = make_run(tmp_path, (draw("Final answer: B", "correct"),))
    with pytest.raises(UserError, match="add --reverify"):
        republish([store.uri], ["verify.compat=internvl"])
    with pytest.raises(UserError, match=r"only label, publish, output_dir, verify, sources\.N\.verify"):
        republish([store.uri], ["sources.0.path=x"], reverify=True)


@pytest.mark.parametrize(("at_least", "label"), [(1, "+"), (2, "-")])
def test_references_are_heeded(tmp_path: Path, at_least: int, label: str) -> None:
    """The problem file has a column for them only where a source gives several."""
    store = make_run(tmp_path, (draw("Final answer: C", "incorrect"), draw("Final answer: A", "incorrect")))
    path = store.path("problems", "part-0.parquet")
    (row,) = pq.read_table(path).to_pylist()
    row[schemas.REFERENCES.name] = {"answers": ["B", "B", "C"], "at_least": at_least}
    pq.write_table(schemas.table([row], schemas.PROBLEM_SCHEMA.append(schemas.REFERENCES)), path)
    republish([store.uri], [], reverify=True)
    first, last = published_steps(tmp_path)
    assert (first["label"], first["num_mc_correct"]) == (label, int(label == "+"))
    assert last["label"] == "+"
