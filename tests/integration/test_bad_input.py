"""Everything that users get wrong, through the real command."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.cluster import session as cluster
from tests.integration.conftest import Command, scripted
from tests.integration.test_dataset import published
from tests.places import ROOT


def png(width: int = 24, height: int = 24, mode: str = "RGB", format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, format)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of some bytes that claims 50,000 × 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def rotated() -> bytes:
    image, exif, buffer = Image.new("RGB", (40, 20)), Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    image.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def animated() -> bytes:
    frames, buffer = [Image.new("P", (20, 20), color) for color in (0, 1, 2)], io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


GOOD = {
    "plain": png(), "cmyk": png(mode="CMYK", format="JPEG"), "rgba": png(mode="RGBA"), "deep": png(mode="I;16"),
    "palette": png(mode="P"), "animated": animated(), "rotated": rotated(), "dot": png(1, 1),
}  # fmt: skip
BAD_IMAGES = {"truncated": png(200, 200, mode="RGB")[:60], "bomb": bomb(), "strip": png(10_000, 10)}


def write_source(folder: Path) -> list[bytes]:
    """Image files, and the lines of a JSONL file: every good image once, then one line for each mistake."""
    images = folder / "images"
    images.mkdir()
    for name, data in (GOOD | BAD_IMAGES).items():
        (images / name).write_bytes(data)
    (folder / "secret.png").write_bytes(png())
    os.symlink(folder / "secret.png", images / "link")
    row = {"image": "plain", "question": "How many?", "answer": "4"}
    good = [{**row, "id": name, "image": name, "question": f"How many in {name}?"} for name in GOOD]
    bad = [
        {**row, "id": "missing", "image": "nothing.png"},
        *({**row, "id": name, "image": name} for name in BAD_IMAGES),
        {**row, "id": "above", "image": "../secret.png"},
        {**row, "id": "linked", "image": "link"},
        {**row, "id": "absolute", "image": str(folder / "secret.png")},
        {**row, "id": "no question", "question": " "},
        {"id": "no answer", "image": "plain", "question": "What?"},
        {**row, "id": "empty answer", "question": "Which?", "answer": ""},
        {**row, "id": "unverifiable", "question": "Whose?", "answer": "n.n.", "verify": ["number"]},
        {**good[0], "id": "twice"},
        {**row, "id": "number", "question": 7},
        {**row, "id": "long", "question": "very " * 2000 + "long?"},
    ]
    lines = [json.dumps(item).encode() for item in good + bad]
    return [*lines, b'{"id": "broken", ', b'{"id": "latin", "question": "\xe9"}']


def test_every_bad_row_is_named_and_the_run_goes_on(visualprm: Command, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(write_source(tmp_path)))
    source = {"name": "bad", "path": str(tmp_path / "rows.jsonl"), "images": str(tmp_path / "images")}
    config = scripted(tmp_path, sources=[source], sampling={"num_solutions": 1, "max_tokens": 64})
    done = visualprm("dataset", config)
    assert done.returncode == 0, done.stderr
    assert len(published(tmp_path / "data")) == len(GOOD)
    refused = [json.loads(line) for line in (tmp_path / "run" / "quarantine" / "load.jsonl").read_text().splitlines()]
    reasons = {row["id"]: row["reason"] for row in refused}
    assert reasons == {
        "missing": "missing_image", "truncated": reasons.get("truncated"), "bomb": "image_too_large",
        "strip": "extreme_aspect_ratio", "above": "image_outside_root", "linked": "image_outside_root",
        "absolute": "image_outside_root", "no question": "empty_question", "no answer": "missing_answer",
        "empty answer": "empty_answer", "unverifiable": "gold_rejected", "twice": "duplicate",
        "number": "wrong_type", "row 23": "invalid_json", "row 24": "not_utf8",
    }  # fmt: skip
    assert "image" in reasons["truncated"]
    failed = [
        json.loads(line) for line in (tmp_path / "run" / "quarantine" / "annotate.jsonl").read_text().splitlines()
    ]
    assert [(row["id"], row["reason"]) for row in failed] == [("long", "prompt_too_long")]
    for reason in {*reasons.values(), "prompt_too_long"}:
        assert reason in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["rollout.num_drws=3"], "rollout.num_drws: unknown key (did you mean 'num_draws'?)"),
        (["rollout.num_draws=many"], "rollout.num_draws"),
        (["engine.kind=vllm", "engine.model=./nowhere"], "engine.model: nowhere holds no config.json"),
        (
            ["engine.kind=vllm", "engine.args.max_num_seq=8"],
            "engine.args.max_num_seq: vLLM has no such setting (did you mean 'max_num_seqs'?)",
        ),
        (["engine.kind=vllm", "engine.args.dtype=float16"], "engine.args.dtype: give it as engine.dtype"),
        (["engine.kind=vllm", "engine.max_model_len=9999"], "engine.max_model_len=9999: demo/policy takes at most"),
        (["prompt=prompts/none.txt"], "prompt: prompts/none.txt: no such file (looked for as"),
        (["sources.0.function=tests.integration.rows:none"], "none"),
        (["run_dir=/proc/nothing/run"], "/proc/nothing/run"),
        (["output_dir=/proc/nothing/data"], "/proc/nothing"),
    ],
)
def test_a_wrong_setting_is_one_line_before_ray_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    overrides: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cluster, "start_ray", lambda *_, **__: pytest.fail("too late"))
    # The handler of SIGTERM stays as it is for other tests.
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    with pytest.raises(SystemExit, match="2"):
        main(["dataset", str(scripted(tmp_path)), *overrides])
    *phases, told = capfd.readouterr().err.splitlines()
    assert told.startswith("visualprm: ")
    assert words in told
    assert phases in ([], ["reading the source rows"])
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_mistake_is_one_line_and_status_2_of_the_command(visualprm: Command, tmp_path: Path) -> None:
    done = visualprm("dataset", scripted(tmp_path), "rollout.num_drws=3")
    assert done.returncode == 2
    assert done.stderr.startswith("visualprm: ")
    assert "rollout.num_drws: unknown key" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_line_and_the_run_goes_on(visualprm: Command, tmp_path: Path) -> None:
    disk = tmp_path / "run"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        full = visualprm("dataset", scripted(tmp_path))
        assert full.returncode == 2, full.stderr[-2000:]
        assert "no space left on the device" in full.stderr.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        done = visualprm("dataset", scripted(tmp_path))
        assert done.returncode == 0, done.stderr[-2000:]
        assert len(published(tmp_path / "data")) == 48
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
