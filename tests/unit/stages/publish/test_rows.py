from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import io
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import manifest
from pipeline.atomic import Sum
from pipeline.config import LabelConfig, PublishConfig
from pipeline.errors import UserError
from pipeline.records import (
    VERDICT_STATUSES,
    AnnotatedProblem,
    Draw,
    Image,
    Problem,
    Rejected,
    Solution,
    Step,
    Verdict,
    VerdictStatus,
    ledger_row,
    problem_row,
)
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, PUBLISHED_SCHEMA, table
from stages.label import label_columns, labelled_steps
from stages.publish import entries, shards
from stages.publish.entries import Run
from stages.publish.features import with_features
from stages.publish.rows import publish
from stages.publish.shards import DOCUMENTS, WRITER_OPTIONS, check_output, size_of
from stages.publish.stats import Stats

Items = list[AnnotatedProblem]
LOCAL = pafs.LocalFileSystem()
LABEL = functools.partial(label_columns, config=LabelConfig())


def noise_png(seed: int, side: int = 16) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@functools.cache
def make_problem(seed: int, side: int = 16, num_images: int = 1, source: str = "") -> Problem:
    images = tuple(Image.of(noise_png(seed * 10 + index, side)) for index in range(num_images))
    question, answer = f"<image> What is shown in picture {seed}?", str(seed)
    source = source or ("bars", "shapes")[seed % 2]
    key = Problem.make_id(source, question, answer, [image.sha256 for image in images])
    return Problem(key, source, f"row{seed}", question, answer, images, (), ("number",), 6, "prompt.txt")


def make_steps(rng: random.Random, num_steps: int) -> tuple[Step, ...]:
    def draws() -> tuple[Draw, ...]:
        return tuple(
            Draw((1, 2, 3), "a continuation", "stop", seed, Verdict(rng.choice(VERDICT_STATUSES), "7"))
            for seed in range(4)
        )

    *first, last = (f"Step {index}: {rng.random()}.\n\n" for index in range(num_steps))
    measured = [Step(text, 0, 1, True, draws=draws(), origin="measured") for text in first]
    return (*measured, Step(last, 0, 1, True, origin="own_answer"))


def annotate(
    problem: Problem, num_solutions: int = 4, policy: str = "abc", error: str | None = None, salt: int = 0
) -> AnnotatedProblem:
    rng = random.Random(f"{problem.problem_id}{policy}{salt}")
    solutions = []
    for index in range(num_solutions):
        steps = make_steps(rng, rng.randint(1, 5))
        solutions.append(
            Solution(
                solution_id=f"{problem.problem_id}/{policy}/s{index}",
                text="".join(step.text for step in steps),
                token_ids=(1, 2, 3),
                finish_reason="stop",
                seed=index,
                verdict=Verdict(rng.choice(VERDICT_STATUSES), problem.answer),
                steps=steps,
            )
        )
    prompt = f"Solve it step by step. {problem.question}"
    return AnnotatedProblem(problem, tuple(solutions), "demo/policy", policy, prompt, "cafe", "fixed", error)


def write_run(
    folder: Path,
    items: Sequence[AnnotatedProblem],
    problems: Sequence[Problem] | None = None,
    problem_files: int = 2,
    rows_per_file: int = 5,
    rejected: Sequence[Rejected] = (),
) -> Run:
    """Writes what a run leaves: sorted problem files, and a ledger in the order of `items`."""
    problems = [item.problem for item in items] if problems is None else problems
    ordered = sorted({problem.problem_id: problem for problem in problems}.values(), key=lambda p: p.problem_id)
    folder.mkdir(parents=True, exist_ok=True)
    problem_paths, ledger_paths = [], []
    for number in range(problem_files):
        problem_paths.append(str(folder / f"problems-{number}.parquet"))
        rows = table(map(problem_row, ordered[number::problem_files]), PROBLEM_SCHEMA)
        pq.write_table(rows, problem_paths[-1], row_group_size=7)
    for start in range(0, len(items), rows_per_file):
        ledger_paths.append(str(folder / f"ledger-{start}.parquet"))
        rows = table(map(ledger_row, items[start : start + rows_per_file]), LEDGER_SCHEMA)
        pq.write_table(rows, ledger_paths[-1], row_group_size=2)
    return Run(problem_paths, ledger_paths, num_draws=4, filesystem=LOCAL, rejected=rejected)


def run_publish(run: Run | Sequence[Run], out: Path, **config: Any) -> Stats:
    runs = [run] if isinstance(run, Run) else run
    return publish(runs, str(out), LOCAL, PublishConfig(**config), LABEL)


def files(folder: Path) -> dict[str, bytes]:
    """What lies there beside the manifest."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != manifest.FILE}


def read(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("train-*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def twenty() -> Items:
    return [annotate(make_problem(seed)) for seed in range(20)]


def test_a_ledger_that_is_sorted_in_parts_gives_the_same_bytes(
    tmp_path: Path, twenty: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = [annotate(make_problem(seed), policy="zzz") for seed in range(0, 20, 3)]
    run = write_run(tmp_path / "run", [*twenty, *policies, *twenty[:3]])
    whole = run_publish(run, tmp_path / "whole", row_group_rows=16)
    monkeypatch.setattr(entries, "MOST_CHAINS", 0)
    monkeypatch.setattr(entries, "PART_BYTES", 1)
    monkeypatch.setattr(entries, "BATCH_BYTES", 1)
    parts = run_publish(run, tmp_path / "parts", row_group_rows=16)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert parts == whole
    assert len(read(tmp_path / "whole")) == 27 * 4


def test_a_table_is_as_large_as_one_of_its_rows(tmp_path: Path, twenty: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a shard ends depends on it; row groups are parts of a larger table, whose bits need not begin with a byte."""
    written: list[pa.Table] = []

    def keep(self: shards.ShardWriter, group: pa.Table, _: object) -> bool:
        written.append(group)
        return False

    monkeypatch.setattr(shards.ShardWriter, "_ends", keep)
    screened = [
        dataclasses.replace(item.problem, contamination=("bench",) * (index % 2)) for index, item in enumerate(twenty)
    ]
    items = [annotate(item.problem, 3) for item in twenty]
    run_publish(write_run(tmp_path / "run", items, screened), tmp_path / "out", row_group_rows=15)
    assert [len(group) for group in written] == [15, 15, 15]
    for group in written:
        assert size_of(group) == pa.Table.from_pylist(group.to_pylist(), schema=with_features(PUBLISHED_SCHEMA)).nbytes


def test_row_groups_that_are_made_together_give_the_same_bytes(
    tmp_path: Path, twenty: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", twenty)
    together = run_publish(run, tmp_path / "together", row_group_rows=12, max_shard_bytes=20_000)
    monkeypatch.setattr(shards, "GROUPS_AT_ONCE", 1)
    alone = run_publish(run, tmp_path / "alone", row_group_rows=12, max_shard_bytes=20_000)
    assert len(alone.shards) > 1
    assert files(tmp_path / "alone") == files(tmp_path / "together")
    assert alone == together


def test_datasets_loads_it_and_images_are_pictures(tmp_path: Path, twenty: Items) -> None:
    import datasets

    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    loaded = datasets.load_dataset(
        "parquet", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == PUBLISHED_SCHEMA.names
    assert len(loaded) == 80
    picture = loaded[0]["images"][0]
    assert isinstance(picture, PIL.Image.Image)
    assert picture.size == (16, 16)
    assert loaded[0]["steps_with_score"][-1]["origin"] == "own_answer"


def test_nothing_to_publish_still_gives_a_readable_file(tmp_path: Path) -> None:
    stats = run_publish(write_run(tmp_path / "run", [], [make_problem(1)]), tmp_path / "out")
    assert [shard.rows for shard in stats.shards] == [0]
    assert pq.read_table(tmp_path / "out" / stats.shards[0].name).schema == PUBLISHED_SCHEMA


def test_rows_are_ordered_by_problem_then_solution(tmp_path: Path) -> None:
    items = [annotate(make_problem(seed), num_solutions=12) for seed in range(5)]
    run_publish(write_run(tmp_path / "run", items), tmp_path / "out")
    ids = [row["id"] for row in read(tmp_path / "out")]
    problems = sorted(item.problem.problem_id for item in items)
    assert ids == [f"{problem}/abc/s{index}" for problem in problems for index in range(12)]


def test_every_column_says_what_the_ledger_says(tmp_path: Path) -> None:
    problem = make_problem(3, num_images=2)
    item = annotate(problem, num_solutions=1)
    solution = item.solutions[0]
    run_publish(write_run(tmp_path / "run", [item]), tmp_path / "out")
    (row,) = read(tmp_path / "out")
    steps, _ = row.pop("steps_with_score"), row.pop("response_correct")
    assert row == {
        "id": solution.solution_id,
        "source": problem.source,
        "images": [{"bytes": image.data, "path": image.sha256} for image in problem.images],
        "question": problem.question,
        "prompt": item.prompt,
        "answer": problem.answer,
        "response": solution.text,
        "num_mc_sequences": 4,
        "response_answer": solution.verdict.answer,
        "policy_model": "demo/policy",
        "prompt_sha": "cafe",
        "contamination": None,
    }
    assert steps == [
        {
            "step": step.text,
            "score": step.score,
            "num_mc_correct": step.num_mc_correct,
            "num_mc_total": step.num_mc_total,
            "label": label,
            "origin": step.origin,
        }
        for step, label in labelled_steps(solution, LabelConfig())
    ]


@pytest.mark.parametrize(
    ("status", "correct"),
    [
        ("correct", True),
        ("incorrect", False),
        ("no_answer", False),
        ("truncated", False),
        ("timeout", None),
        ("error", None),
    ],
)
def test_response_correct_is_null_where_the_verifier_failed(
    tmp_path: Path, status: VerdictStatus, correct: bool | None
) -> None:
    problem = make_problem(1)
    solution = Solution("p/k/s0", "text", (), "stop", 0, Verdict(status), (Step("text", 0, 1, True),))
    item = AnnotatedProblem(problem, (solution,), "m", "k", "p", "s", "fixed")
    run_publish(write_run(tmp_path / "run", [item]), tmp_path / "out")
    assert [row["response_correct"] for row in read(tmp_path / "out")] == [correct]


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_bytes_do_not_depend_on_the_order_of_anything(
    tmp_path_factory: pytest.TempPathFactory, twenty: Items, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("order")
    repeated = data.draw(st.lists(st.sampled_from(twenty), max_size=3))
    items = data.draw(st.permutations([*twenty, *repeated]))
    run_publish(write_run(folder / "a", twenty), folder / "out-a", row_group_rows=16, max_shard_bytes=20_000)
    run = write_run(
        folder / "b",
        items,
        problem_files=data.draw(st.integers(1, 4)),
        rows_per_file=data.draw(st.integers(1, 9)),
    )
    shuffled = Run(run.problems[::-1], data.draw(st.permutations(run.ledger)), 4, LOCAL)
    run_publish(shuffled, folder / "out-b", row_group_rows=16, max_shard_bytes=20_000)
    assert files(folder / "out-a") == files(folder / "out-b")


@settings(max_examples=10, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20),
    row_group_rows=st.integers(1, 20),
    max_shard_bytes=st.sampled_from([1, 10_000, 10**9]),
)
def test_no_problem_lies_in_two_row_groups(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], row_group_rows: int, max_shard_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    items = [annotate(make_problem(seed), num_solutions=size) for seed, size in enumerate(sizes)]
    run_publish(
        write_run(folder, items),
        folder / "out",
        row_group_rows=row_group_rows,
        max_shard_bytes=max_shard_bytes,
    )
    groups = []
    for path in sorted((folder / "out").glob("*.parquet")):
        file = pq.ParquetFile(path)
        for index in range(file.num_row_groups):
            ids = file.read_row_group(index, columns=["id"])["id"].to_pylist()
            groups.append([key.split("/")[0] for key in ids])
    for group in groups:
        assert len(group) <= row_group_rows or len(set(group)) == 1
    assert not any(set(a) & set(b) for a, b in itertools.combinations(groups, 2))
    assert sum(map(len, groups)) == sum(sizes)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("text")
    steps = tuple(Step(text, 0, 1, True) for text in texts)
    solution = Solution("p/k/s0", "".join(texts), (), "stop", 0, Verdict("no_answer"), steps)
    item = AnnotatedProblem(make_problem(1), (solution,), "m", "k", texts[0], "s", "fixed")
    run_publish(write_run(folder, [item]), folder / "out")
    (row,) = read(folder / "out")
    assert "".join(step["step"] for step in row["steps_with_score"]) == row["response"] == "".join(texts)
    assert row["prompt"] == texts[0]
    assert {(step["score"], step["label"], step["num_mc_total"]) for step in row["steps_with_score"]} == {
        (None, None, None)
    }


def test_shards_are_bounded_and_old_ones_disappear(tmp_path: Path, twenty: Items) -> None:
    run = write_run(tmp_path / "run", twenty)
    many = run_publish(run, tmp_path / "out", max_shard_bytes=20_000, row_group_rows=8)
    assert len(many.shards) > 2
    footer = max(pq.read_metadata(tmp_path / "out" / shard.name).serialized_size for shard in many.shards)
    assert all(shard.bytes <= 20_000 + footer for shard in many.shards)
    assert sum(shard.rows for shard in many.shards) == 80
    assert {shard.name: shard.bytes for shard in many.shards} == {
        name: len(data) for name, data in files(tmp_path / "out").items()
    }
    one = run_publish(run, tmp_path / "out")
    assert [shard.name for shard in one.shards] == ["train-00000-of-00001.parquet"] == list(files(tmp_path / "out"))


def test_failed_and_pending_problems_give_no_rows_but_are_counted(tmp_path: Path) -> None:
    good, broken, silent, pending = (make_problem(seed, source="bars") for seed in range(4))
    items = [
        annotate(good),
        annotate(broken, num_solutions=0, error="prompt_too_long: 5000 tokens: too many"),
        annotate(silent, num_solutions=0),
    ]
    gone = Rejected("shapes", "17", "missing_image", "17.png")
    run = write_run(tmp_path / "run", items, [good, broken, silent, pending], rejected=[gone])
    stats = run_publish(run, tmp_path / "out")
    assert sorted(stats.failed, key=lambda item: item.row_id) == [
        Rejected("bars", "row1", "prompt_too_long", "5000 tokens: too many"),
        Rejected("bars", "row2", "no_solutions", ""),
    ]
    bars = stats.sources["bars"]
    assert (bars["problems"], bars["solutions"], bars["pending"]) == (1, 4, 1)
    assert (bars["quarantined.prompt_too_long"], bars["quarantined.no_solutions"]) == (1, 1)
    assert stats.sources["shapes"]["quarantined.missing_image"] == 1
    assert len(read(tmp_path / "out")) == 4


def test_statistics_add_up(tmp_path: Path, twenty: Items) -> None:
    stats = run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    rows = read(tmp_path / "out")
    document = stats.document()
    assert list(document["sources"]) == ["bars", "shapes"]
    for source, tally in document["sources"].items():
        solutions = [row["steps_with_score"] for row in rows if row["source"] == source]
        steps = [step for solution in solutions for step in solution]
        labels = [[step["label"] for step in solution] for solution in solutions]
        scores = [step["score"] for step in steps if step["score"] is not None]
        items = [item for item in twenty if item.problem.source == source]
        assert tally["solutions"] == len(solutions) == 4 * tally["problems"]
        assert tally["steps"] == len(steps) == tally["origins.measured"] + tally["origins.own_answer"]
        assert tally["scored_steps"] == len(scores)
        assert tally["score_sum"] == pytest.approx(sum(scores))
        assert tally["incorrect_steps"] == sum(solution.count("-") for solution in labels)
        assert tally["mixed_solutions"] == sum({"+", "-"} <= set(solution) for solution in labels)
        assert sum(n for key, n in tally.items() if key.startswith("draws.")) == sum(i.num_draws for i in items)
        assert sum(n for key, n in tally.items() if key.startswith("responses.")) == len(solutions)
        assert tally["tokens"] == sum(item.num_tokens for item in items)
    assert document["policies"] == [
        {"policy_model": "demo/policy", "prompt_sha": "cafe", "strategy": "fixed", "solutions": 80}
    ]


def test_a_row_committed_twice_is_published_once(tmp_path: Path, twenty: Items) -> None:
    stats = run_publish(write_run(tmp_path / "run", [*twenty, *twenty[:3]]), tmp_path / "out")
    assert len(read(tmp_path / "out")) == 80
    undisturbed = run_publish(write_run(tmp_path / "other", twenty), tmp_path / "other-out")
    assert stats.document() == undisturbed.document()


def test_several_runs_share_a_dataset_and_its_images(tmp_path: Path, twenty: Items) -> None:
    weak = write_run(tmp_path / "weak", twenty)
    strong = write_run(tmp_path / "strong", [annotate(item.problem, 2, policy="zzz") for item in twenty[:10]])
    stats = run_publish([strong, weak], tmp_path / "out")
    rows = read(tmp_path / "out")
    assert len(rows) == len({row["id"] for row in rows}) == 80 + 20
    assert [row["id"].split("/")[1] for row in rows if row["id"].startswith(twenty[0].problem.problem_id)] == [
        *["abc"] * 4,
        *["zzz"] * 2,
    ]
    assert sum(tally["problems"] for tally in stats.sources.values()) == 20
    run_publish([weak, strong], tmp_path / "other")
    assert files(tmp_path / "out") == files(tmp_path / "other")


def test_a_ledger_of_other_problems_is_refused_and_the_old_dataset_stays(tmp_path: Path, twenty: Items) -> None:
    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    before = files(tmp_path / "out")
    problems = [item.problem for item in twenty[1:]]
    with pytest.raises(UserError, match=f"1 problems of the ledger .* {twenty[0].problem.problem_id}"):
        run_publish(write_run(tmp_path / "bad", twenty, problems), tmp_path / "out")
    assert files(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "out", "run"]


def test_unsorted_problems_are_refused(tmp_path: Path, twenty: Items) -> None:
    run = write_run(tmp_path / "run", twenty, problem_files=1)
    pq.write_table(pq.read_table(run.problems[0])[::-1], run.problems[0])
    with pytest.raises(UserError, match="sorted by problem_id"):
        run_publish(run, tmp_path / "out")


def test_other_peoples_files_are_never_removed(tmp_path: Path, twenty: Items) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    assert files(tmp_path / "out") == {"thesis.tex": b"years of work"}


def test_an_output_folder_that_is_a_file_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/out"):
        with pytest.raises(UserError, match=f"{tmp_path}/{place}"):
            check_output(str(tmp_path / place), LOCAL)


def test_check_output_leaves_nothing_behind(tmp_path: Path) -> None:
    check_output(str(tmp_path / "deep" / "out"), LOCAL)
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_full_disk_is_one_line_and_the_old_dataset_stays(
    tmp_path: Path, twenty: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", twenty)
    run_publish(run, tmp_path / "out")
    before = files(tmp_path / "out")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "Error writing bytes to file")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(UserError, match=r"(?i)no space left on") as caught:
        run_publish(run, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert files(tmp_path / "out") == before
    assert not (tmp_path / "out.tmp-new").exists()


def test_leftovers_of_a_killed_publish_do_no_harm(tmp_path: Path, twenty: Items) -> None:
    for name in ("out.tmp-new", "out.tmp-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train-00000-of-00009.parquet").touch()
    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    assert list(files(tmp_path / "out")) == ["train-00000-of-00001.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_a_linked_output_folder_stays_a_link(tmp_path: Path, twenty: Items) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big-disk")
    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert list(files(tmp_path / "big-disk")) == ["train-00000-of-00001.parquet"]


@pytest.mark.parametrize("store", ["disk", "object store"])
def test_documents_describe_the_finished_shards_and_come_with_them(tmp_path: Path, twenty: Items, store: str) -> None:
    filesystem = LOCAL if store == "disk" else pafs.SubTreeFileSystem(str(tmp_path), LOCAL)
    out = str(tmp_path / "out") if store == "disk" else "out/"
    run = write_run(tmp_path / "run", twenty)
    seen = []

    def describe(stats: Stats, folder: str) -> dict[str, str]:
        for shard in stats.shards:
            with filesystem.open_input_file(f"{folder}/{shard.name}") as file:
                seen.append(pq.read_metadata(file).num_rows)
        return dict.fromkeys(DOCUMENTS, "Größe")

    publish([run], out, filesystem, PublishConfig(max_shard_bytes=1), LABEL)
    publish([run], out, filesystem, PublishConfig(), LABEL, describe)
    assert seen == [80]
    found = files(tmp_path / "out")
    assert list(found) == ["README.md", "stats.json", "train-00000-of-00001.parquet"]
    assert found["stats.json"] == "Größe".encode()
    sums = {name: (Sum(len(data), hashlib.sha256(data).hexdigest()),) for name, data in found.items()}
    assert manifest.load(str(tmp_path / "out")) == sums
    run_publish(run, tmp_path / "plain")
    assert found["train-00000-of-00001.parquet"] == files(tmp_path / "plain")["train-00000-of-00001.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "plain", "run"]


def test_images_are_stored_once(tmp_path: Path) -> None:
    items = [annotate(make_problem(seed, side=150)) for seed in range(40)]
    stats = run_publish(write_run(tmp_path / "run", items), tmp_path / "out")
    images = {image.sha256: image.data for item in items for image in item.problem.images}
    shard = tmp_path / "out" / stats.shards[0].name
    pq.write_table(pq.read_table(shard).drop_columns(["images"]), tmp_path / "text.parquet", **WRITER_OPTIONS)
    text_bytes = (tmp_path / "text.parquet").stat().st_size
    assert stats.shards[0].bytes <= 1.02 * (sum(map(len, images.values())) + text_bytes)


def test_images_of_one_row_group_are_bounded(tmp_path: Path, twenty: Items, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.publish.shards._MAX_GROUP_BYTES", 1)
    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    assert pq.ParquetFile(tmp_path / "out" / "train-00000-of-00001.parquet").num_row_groups == 20


def test_files_name_no_place_and_no_time(tmp_path: Path, twenty: Items) -> None:
    run_publish(write_run(tmp_path / "run", twenty), tmp_path / "out")
    (data,) = files(tmp_path / "out").values()
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize("listed", [False, True])
def test_the_question_has_the_options_that_the_policy_was_asked_with(tmp_path: Path, listed: bool) -> None:
    shown = "Which is larger?\nA. the square\nB. the circle"
    question = shown if listed else "Which is larger?"
    problem = dataclasses.replace(make_problem(1), question=question, options=("the square", "the circle"))
    run_publish(write_run(tmp_path / "run", [annotate(problem)]), tmp_path / "out")
    assert {row["question"] for row in read(tmp_path / "out")} == {shown}
