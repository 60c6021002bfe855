"""Datasets that were made here, in other formats: what each can say, and what it leaves out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from pipeline.cli import main
from pipeline.config import PublishConfig
from pipeline.errors import RowError, UserError
from pipeline.records import Image
from stages.exchange import conversations, hub, raw
from stages.exchange.exporting import export_dataset
from stages.exchange.format import ExportOptions, Format, ImportOptions, Line, Read, Reader, Row, Writer
from stages.exchange.formats import FORMATS
from stages.exchange.importing import import_corpus
from stages.exchange.labels import chosen_turns, labelled_turns
from stages.publish.kept import Kept
from stages.publish.reading import read_rows
from stages.publish.shards import ShardWriter
from tests import shards
from tests.unit.stages.exchange.corpus import png

OPTIONS = ExportOptions("demo", "S")


def step(text: str, score: float | None, label: str | None, origin: str = "measured") -> dict[str, Any]:
    counts = (None, None) if score is None else (round(score * 16), 16)
    return {
        "step": text,
        "score": score,
        "num_mc_correct": counts[0],
        "num_mc_total": counts[1],
        "label": label,
        "origin": origin,
    }


SOLUTIONS = {
    "fixed": [
        step("Step 1: a", 0.5, "+"),
        step("b", 0.0, "-"),
        step("c", 0.25, "+"),
        step("d", 0.0, "-", "own_answer"),
    ],
    "stopped": [step("a", 0.5, "+"), step("b", 0.0, "-"), step("c", None, None, "not_sampled")],
    "implied": [step("a", None, "+", "implied"), step("b", 0.5, "+"), step("c", 1.0, "+", "own_answer")],
    "unjudged": [step("a", 0.5, "+"), step("b", None, None), step("c", 0.5, "+")],
    "unlabelled": [step("a", None, None), step("b", 1.0, "+")],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two problems: one image and no placeholder, two images and none in the prompt."""
    folder = tmp_path_factory.mktemp("dataset")
    writer = ShardWriter(str(folder), pafs.LocalFileSystem(), PublishConfig())
    for number in (1, 2):
        images = [Image.of(png(10 * number + index)) for index in range(number)]
        rows = [
            {
                "id": f"p{number}/key/s{index}",
                "source": "geo/easy",
                "images": [{"bytes": image.data, "path": image.sha256} for image in images],
                "question": f"Question {number}?",
                "prompt": f"Think. Question {number}?",
                "answer": "4",
                "response": "\n\n".join(each["step"] for each in steps),
                "steps_with_score": steps,
                "num_mc_sequences": 16,
                "response_answer": "5",
                "response_correct": False,
                "policy_model": "m",
                "prompt_sha": "s",
            }
            for index, steps in enumerate(SOLUTIONS.values())
        ]
        writer.add(rows)
    writer.finish()
    return str(folder)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_labels_end_where_they_are_not_known() -> None:
    def labels(name: str, **options: Any) -> str:
        return "".join(label for _, label in labelled_turns(SOLUTIONS[name], **options))

    assert labels("fixed") == "+-+-"
    assert labels("fixed", cut=True) == "+-"
    assert labels("fixed", threshold=0.25) == "+---"
    assert labels("stopped") == "+--"
    # A judge's `-` says nothing of draws; labels that --threshold gives do.
    assert labels("stopped", kind="judge") == "+-"
    assert labels("stopped", kind="judge", threshold=0.0) == "+--"
    assert labels("implied") == "+++"
    assert labels("implied", threshold=0.0) == "+++"
    assert labels("unjudged") == "+"
    for name, threshold in (("unlabelled", None), ("implied", 0.125)):
        with pytest.raises(RowError, match="no_label"):
            labelled_turns(SOLUTIONS[name], threshold)


def test_a_threshold_is_refused_where_draws_stopped_at_a_success(dataset: str, tmp_path: Path) -> None:
    stopped = shutil.copytree(dataset, tmp_path / "stopped")

    def export(strategy: str, threshold: float) -> str:
        policies = [{"strategy": "fixed num_draws=16"}, {"strategy": strategy}]
        (stopped / "stats.json").write_text(json.dumps({"policies": policies}), encoding="utf-8")
        out = tmp_path / f"{strategy.split()[0]}-{threshold}"
        return export_dataset(str(stopped), "conversations", str(out), ExportOptions("demo", "S", threshold))

    with pytest.raises(
        UserError, match=r"--threshold 0\.25: .* strategy binary_search, which stops at a success"
    ) as told:
        export("binary_search num_draws=16 rounds=4,4,8", 0.25)
    assert "\n" not in str(told.value)
    assert export("binary_search num_draws=16 rounds=4,4,8", 0.0)
    assert export("stop_after_zero num_draws=16", 0.25)


@pytest.mark.parametrize("kind", ["mc", "judge", "consensus"])
def test_labels_of_a_judge_end_where_the_judge_gave_none(dataset: str, tmp_path: Path, kind: str) -> None:
    judged = shutil.copytree(dataset, tmp_path / "judged")
    (judged / "stats.json").write_text(json.dumps({"label": {"kind": kind}}), encoding="utf-8")
    export_dataset(str(judged), "stepwise", str(tmp_path / "out"), OPTIONS)
    found = [record["labels"] for record in lines(tmp_path / "out/geo_easy.jsonl")]
    assert found[1] == ([True, False, False] if kind == "mc" else [True, False])


def test_conversations_have_places_for_images_and_files_that_are_there(dataset: str, tmp_path: Path) -> None:
    out = tmp_path / "talk"
    summary = export_dataset(dataset, "conversations", str(out), OPTIONS)
    assert summary.startswith("8 rows in 1 files, 3 images")
    assert summary.endswith("left out: 2 no_label")
    records = lines(out / "geo_easy_prm.jsonl")
    assert len(records) == json.loads((out / "meta.json").read_text())["geo_easy"]["length"] == 8
    assert [str(record["image"]) for record in records] == sorted(str(record["image"]) for record in records)
    for record in records:
        images = [record["image"]] if isinstance(record["image"], str) else record["image"]
        first = record["conversations"][1]["value"]
        assert first.startswith("### Question:\n" + "<image>\n" * len(images) + "Think. Question")
        for name in images:
            digest = name.split("/")[1].split(".")[0]
            assert Image.of((out / "images" / name).read_bytes()).sha256.startswith(digest)
        columns, system = conversations.read(record)
        assert system == "S"
        assert next(each["label"] for each in columns["steps_with_score"]) == "+"


def test_raw_says_only_what_was_measured(dataset: str, tmp_path: Path) -> None:
    out = tmp_path / "raw"
    summary = export_dataset(dataset, "raw", str(out), OPTIONS)
    assert summary.endswith("left out: 6 unmeasured_step")
    fixed, stopped = lines(out / "annotations/geo_easy.jsonl")[:2]
    assert [each["score"] for each in fixed["steps_with_score"]] == [0.5, 0.0, 0.25, 0.0]
    assert stopped["steps_with_score"][2] == {"step": "c", "score": 0.0, "num_mc_correct": 0, "num_mc_total": 0}
    assert fixed["question"] == "<image>\nThink. Question 1?"
    assert fixed["question_orig"] == "Question 1?"
    dropped = fixed["image"].partition("/")
    assert dropped[0] == "demo"
    assert (out / "images" / dropped[2]).is_file()

    import_corpus("raw", str(out), str(tmp_path / "ours"), ImportOptions())
    again = {row["response"]: row["steps_with_score"] for row in read_rows(str(tmp_path / "ours"))}
    assert again["a\n\nb\n\nc"] == SOLUTIONS["stopped"]
    assert [each["label"] for each in again["Step 1: a\n\nb\n\nc\n\nd"]] == ["+", "-", "+", "-"]


@pytest.mark.parametrize("early_stop", [False, True])
def test_raw_ends_with_the_first_zero_where_drawing_did(early_stop: bool) -> None:
    """The reference's `--early-stop` writes 0, 0, 0 for all later steps; a right answer of its own is no exception."""
    zero, unsampled, own = step("b", 0.0, "-"), step("c", None, None, "not_sampled"), step("d", 1.0, "+", "own_answer")

    def scores(*steps: dict[str, Any]) -> list[tuple[float, int]]:
        row = {
            "steps_with_score": [step("a", 0.5, "+"), *steps],
            "prompt": "",
            "answer": "",
            "response": "",
            "question": "",
        }
        written = raw.write(row, None, early_stop)["steps_with_score"]
        return [(each["score"], each["num_mc_total"]) for each in written]

    assert scores(zero, unsampled, own) == [(0.5, 16), (0.0, 16), (0.0, 0), (0.0, 0)]
    # Nothing was left out of this one: only the dataset's strategy tells.
    assert scores(zero, own) == [(0.5, 16), (0.0, 16), (0.0, 0) if early_stop else (1.0, 16)]
    assert scores(own) == [(0.5, 16), (1.0, 16)]


def test_a_dataset_that_was_stopped_early_is_exported_so(dataset: str, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "data")
    for strategy, score in (("stop_after_zero", 0.0), ("fixed", 0.25)):
        policies = [{"strategy": f"{strategy} num_draws=16"}]
        (tmp_path / "data/stats.json").write_text(json.dumps({"policies": policies}), encoding="utf-8")
        export_dataset(str(tmp_path / "data"), "raw", str(tmp_path / strategy), OPTIONS)
        first = lines(tmp_path / strategy / "annotations/geo_easy.jsonl")[0]
        assert [each["score"] for each in first["steps_with_score"]] == [0.5, 0.0, score, 0.0]


def test_messages_are_what_their_readers_expect(dataset: str, tmp_path: Path) -> None:
    export_dataset(dataset, "messages", str(tmp_path / "out"), OPTIONS)
    records = lines(tmp_path / "out/geo_easy.jsonl")
    assert len(records) == 8
    for record in records:
        roles = [message["role"] for message in record["messages"]]
        assert roles == ["system"] + ["user", "assistant"] * (len(roles) // 2)
        assert {message["content"] for message in record["messages"][2::2]} <= {"+", "-"}
        text = "".join(message["content"] for message in record["messages"])
        assert text.count("<image>") == len(record["images"])
        assert all((tmp_path / "out" / name).is_file() for name in record["images"])
    info = json.loads((tmp_path / "out/dataset_info.json").read_text())["demo_geo_easy"]
    assert info["file_name"] == "geo_easy.jsonl"
    assert set(info["columns"].values()) <= set(records[0])


def test_math_shepherd_labels_stand_at_the_marks(dataset: str, tmp_path: Path) -> None:
    """As its readers do it: the mark becomes one character, whose places in `label` hold the labels."""
    export_dataset(dataset, "math-shepherd", str(tmp_path / "out"), OPTIONS)
    for record, steps in zip(lines(tmp_path / "out/geo_easy.jsonl"), list(SOLUTIONS.values())[:4], strict=False):
        text = record["input"].replace("ки", "ⶻ")
        assert len(text) == len(record["label"])
        found = [record["label"][mark.start()] for mark in re.finditer("ⶻ", text)]
        assert found == [label for _, label in labelled_turns(steps)]
        question, *rest = re.split(r"Step \d+: ", text)
        assert question == "Question 1? "
        assert [part.strip(" ⶻ\n") for part in rest] == [
            each.removeprefix("Step 1: ") for each, _ in labelled_turns(steps)
        ]


def test_prm800k_rates_every_labelled_step(dataset: str, tmp_path: Path) -> None:
    export_dataset(dataset, "prm800k", str(tmp_path / "out"), OPTIONS)
    records = dict(zip(SOLUTIONS, lines(tmp_path / "out/geo_easy.jsonl"), strict=False))
    ratings = {
        name: [each["completions"][each["chosen_completion"]]["rating"] for each in record["label"]["steps"]]
        for name, record in records.items()
    }
    assert ratings["fixed"] == [1, -1, 1, -1]
    assert ratings["stopped"] == [1, -1, None]
    assert ratings["unlabelled"] == [None, 1]
    assert records["fixed"]["label"]["finish_reason"] == "found_error"
    assert records["implied"]["label"]["finish_reason"] == "solution"
    assert records["fixed"]["question"]["ground_truth_answer"] == "4"


def test_parquet_is_the_dataset_itself(dataset: str, tmp_path: Path) -> None:
    export_dataset(dataset, "parquet", str(tmp_path / "out"), OPTIONS)
    for path in Path(dataset).glob("*.parquet"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("format", "option", "words"),
    [
        ("parquet", "--threshold=0.25", "copies the dataset as it is: label it again with `visualprm publish RUN"),
        ("parquet", "--cut-after-error", "keeps every step: leave it out, or export as one of conversations, messages"),
        ("parquet", "--system={}", "has no place for a system turn"),
        ("raw", "--threshold=0", "holds scores and no labels of its own"),
        ("raw", "--cut-after-error", "keeps every step"),
        ("raw", "--system={}", "has no place for a system turn"),
        ("prm800k", "--cut-after-error", "keeps every step"),
        ("prm800k", "--system={}", "has no place for a system turn"),
        ("math-shepherd", "--system={}", "has no place for a system turn"),
        ("conversations", "--system={}", None),
        ("messages", "--cut-after-error", None),
        ("math-shepherd", "--cut-after-error", None),
        ("prm800k", "--threshold=0.25", None),
    ],
)
def test_an_option_is_heeded_or_refused(
    dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str, option: str, words: str | None
) -> None:
    (tmp_path / "system.txt").write_text("Judge.")
    arguments = [dataset, format, str(tmp_path / "out"), option.format(tmp_path / "system.txt")]
    file = "geo_easy_prm.jsonl" if format == "conversations" else "geo_easy.jsonl"
    if words is None:
        main(["export", *arguments])
        export_dataset(dataset, format, str(tmp_path / "plain"), OPTIONS)
        assert lines(tmp_path / "out" / file) != lines(tmp_path / "plain" / file)
        return
    with pytest.raises(SystemExit, match="2"):
        main(["export", *arguments])
    error = capsys.readouterr().err
    assert error.startswith(f"visualprm: {option.partition('=')[0]}: {format} {words}")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_export_never_replaces_anything(dataset: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds something already"):
        export_dataset(dataset, "raw", str(tmp_path), OPTIONS)
    with pytest.raises(UserError, match="no dataset is here"):
        export_dataset(str(tmp_path), "raw", str(tmp_path / "out"), OPTIONS)


def test_names_from_elsewhere_stay_in_the_folder(tmp_path: Path) -> None:
    """A dataset is a file that anyone may have written: its image names are no paths to trust."""
    (tmp_path / "in/images/a").mkdir(parents=True)
    (tmp_path / "in/images/a/b.png").write_bytes(png(1))
    record = conversations.write("Q", [("one", "+"), ("two", "-")], "./a/../a/b.png", None)
    (tmp_path / "in/x_prm.jsonl").write_text(json.dumps(record))
    import_corpus("conversations", str(tmp_path / "in"), str(tmp_path / "ours"), ImportOptions())
    export_dataset(str(tmp_path / "ours"), "conversations", str(tmp_path / "out"), OPTIONS)
    (again,) = lines(tmp_path / "out/x_prm.jsonl")
    assert again["image"].startswith("x/")
    assert (tmp_path / "out/images" / again["image"]).is_file()


class Hub:
    """Stands in for the hub's client."""

    calls: list[tuple[str, dict[str, Any]]]
    failure: Exception | None = None

    def create_repo(self, repo: str, **options: Any) -> None:
        if self.failure:
            raise self.failure
        self.calls.append(("create_repo", {"repo": repo, **options}))

    def upload_folder(self, **options: Any) -> None:
        self.calls.append(("upload_folder", options))


def test_push_makes_a_dataset_repository_and_uploads_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Hub()
    api.calls = []
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    assert hub.push_to_hub("out", "lab/prm", private=True) == "https://huggingface.co/datasets/lab/prm"
    assert api.calls == [
        ("create_repo", {"repo": "lab/prm", "repo_type": "dataset", "private": True, "exist_ok": True}),
        ("upload_folder", {"repo_id": "lab/prm", "folder_path": "out", "repo_type": "dataset"}),
    ]
    api.failure = ConnectionError("no\nnetwork")
    with pytest.raises(UserError, match=r"--push-to-hub lab/prm: no network; the export itself is in out"):
        hub.push_to_hub("out", "lab/prm", private=False)


@pytest.mark.parametrize("format", ["conversations", "raw", "messages", "math-shepherd", "prm800k"])
def test_datasets_finds_the_annotations_among_the_images(dataset: str, tmp_path: Path, format: str) -> None:
    import datasets

    out = tmp_path / format
    summary = export_dataset(dataset, format, str(out), OPTIONS)
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert f"{len(loaded)} rows in 1 files" in summary
    assert len(loaded) > 0
    assert "label" not in loaded.column_names or isinstance(loaded[0]["label"], (str, dict))


def test_a_copy_of_shards_without_a_card_gets_one(dataset: str, tmp_path: Path) -> None:
    export_dataset(dataset, "parquet", str(tmp_path / "out"), OPTIONS)
    card = (tmp_path / "out/README.md").read_text()
    assert "path:\n    - train-00000-of-00001.parquet\n" in card


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("geo/easy", "geo_easy"),
        ("", "unnamed"),
        (None, "unnamed"),
        ("s" * 3000, "s" * 160 + "-42fb103c463b"),
        ("..", "_"),
    ],
)
def test_any_source_names_files_that_can_be_written(tmp_path: Path, source: str | None, stem: str) -> None:
    images = [{"bytes": png(1), "path": "0" * 64}]
    row = shards.row(0, 0, [shards.step("a", 8)], source=source, images=images)
    data = shards.write(tmp_path / "data", [row])
    for format, file in (("conversations", f"{stem}_prm.jsonl"), ("messages", f"{stem}.jsonl")):
        export_dataset(data, format, str(tmp_path / format), OPTIONS)
        assert len(lines(tmp_path / format / file)) == 1
        assert (tmp_path / format / "images" / stem / f"{'0' * 32}.png").is_file()


def test_one_entry_makes_a_format_known_everywhere(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A made-up one, which writes and reads labels alone: the command line, its options, the files, the card."""

    def line(row: Row, _kept: Kept | None, _image: Any, options: ExportOptions) -> Line:
        return Line(
            "labels.jsonl", {"question": row["question"], "labels": [label for _, label in chosen_turns(row, options)]}
        )

    def read(record: Mapping[str, Any], _options: ImportOptions) -> Read:
        steps = [step("", None, label) for label in record["labels"]]
        columns = {"prompt": record["question"], "answer": None, "response": "", "num_mc_sequences": None}
        return Read({"question": record["question"], "steps_with_score": steps, **columns}, record)

    made_up = Format(
        writer=Writer(line=line, heeds=frozenset({"--cut-after-error"})),
        reader=Reader(read=read, holds="labels alone", released="labels without texts"),
    )
    monkeypatch.setitem(FORMATS, "labels", made_up)
    main(["export", dataset, "labels", str(tmp_path / "out"), "--cut-after-error"])
    assert {"question": "Question 1?", "labels": ["+", "-"]} in lines(tmp_path / "out/labels.jsonl")
    with pytest.raises(SystemExit) as refused:
        main(["export", dataset, "raw", str(tmp_path / "other"), "--cut-after-error"])
    assert refused.value.code == 2
    assert "export as one of conversations, messages, math-shepherd, stepwise, labels" in capsys.readouterr().err
    main(["import", "labels", str(tmp_path / "out/labels.jsonl"), str(tmp_path / "again")])
    assert "labels without texts" in (tmp_path / "again/README.md").read_text()
    assert len(list(read_rows(str(tmp_path / "again")))) == 8


def test_labels_of_another_kind_come_back_with_their_nulls_or_are_said_to_stay_behind(
    dataset: str, tmp_path: Path
) -> None:
    banded = shutil.copytree(dataset, tmp_path / "banded")
    (banded / "stats.json").write_text(
        json.dumps({"label": {"kind": "band", "low": 0.0, "high": 0.75}, "policies": []})
    )
    out = tmp_path / "out"
    export_dataset(str(banded), "parquet", str(out), OPTIONS)
    assert json.loads((out / "stats.json").read_text())["label"]["kind"] == "band"
    told = export_dataset(str(banded), "prm800k", str(tmp_path / "rated"), OPTIONS)
    assert "kind band" not in told
    import_corpus("prm800k", str(tmp_path / "rated"), str(tmp_path / "again"), ImportOptions())

    def labels(path: str) -> list[list[tuple[str, str | None]]]:
        rows = read_rows(path)
        found = [[(each["step"], each["label"]) for each in row["steps_with_score"]] for row in rows]
        return sorted(found, key=repr)

    given = labels(str(banded))
    assert labels(str(tmp_path / "again")) == given
    assert any(label is None for steps in given for _, label in steps)
    told = export_dataset(str(banded), "raw", str(tmp_path / "scores"), OPTIONS)
    assert "; raw holds scores alone, so the labels of kind band are not in it" in told
