"""Benchmarks at a tiny size: each figure gets a number, and the line that says on what can be written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.results import Result, Surroundings
from benchmarks.shape import find
from benchmarks.table import BEGIN, END, render
from benchmarks.training_memory import watched
from pipeline.settings import parse_settings
from tests.shards import solutions, write
from tests.unit.stages.frontier.test_measure import ledger

TINY = {
    "images_once": ["problems=8"],
    "judgements": ["problems=40"],
    "planning": [],
    "strategies": ["run={folder}/run", "truth={folder}/long"],
}


@pytest.mark.parametrize("name", TINY)
def test_a_measurement_has_all_figures(name: str, tmp_path: Path) -> None:
    if name == "strategies":
        ledger(tmp_path / "run", 16)
        ledger(tmp_path / "long", 40)
    benchmark = find(name)
    overrides = [override.format(folder=tmp_path) for override in TINY[name]]
    settings = parse_settings(benchmark.settings, {}, overrides, name)
    measured = benchmark.measure(settings)
    # No solution of so small a ledger is audited.
    audited = [figure for figure in benchmark.figures if figure.ours != "audit_disagreement"]
    assert all(figure.value(measured) is not None for figure in audited)
    result = Result(Surroundings.here(), settings.model_dump(mode="json"))
    result.add(measured, 0.0)
    assert f"| {name} " in render({name: benchmark}, {name: result})


@pytest.mark.more
def test_one_is_measured_in_processes_of_its_own_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document, kept = tmp_path / "doc.md", tmp_path / "results"
    document.write_text(f"Head\n{BEGIN}\n{END}\nTail\n")
    other = Result(Surroundings("0ld", "elsewhere", "Python"), {"problems": 2000, "solutions": 4}, "2026-01-01")
    other.add({"published_mb": 2.0, "parts_mb": 1.9, "image_kb": 1.0}, 0.0)
    other.write(kept / "images_once.json")
    places = ["--results", str(kept), "--document", str(document)]
    words = ["verifier", "count=200", "plain=20", "--repeat", "2"]
    monkeypatch.setattr(sys, "argv", ["bench", *words, *places])
    with pytest.raises(SystemExit) as end:
        main()
    measured = json.loads((kept / "verifier.json").read_text())
    assert [set(run) for run in measured["runs"]] == [{"ours_per_s", "plain_per_s", "judged", "sample"}] * 2
    assert end.value.code == (min(run["ours_per_s"] / run["plain_per_s"] for run in measured["runs"]) < 10)
    text = document.read_text()
    assert text in f"Head\n{BEGIN}\n\n{capsys.readouterr().out}\n{END}\nTail\n"
    assert "0ld" in text
    assert "not measured" in text


def test_what_cannot_be_measured_here_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "doc.md"
    document.write_text(f"{BEGIN}{END}")
    places = ["--results", str(tmp_path), "--document", str(document)]
    monkeypatch.setattr(sys, "argv", ["bench", "padding", f"data={tmp_path}/nowhere", *places])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert "nowhere isn't there: `make dataset` makes data/demo" in capfd.readouterr().err
    assert not (tmp_path / "padding.json").exists()


def test_memory_is_watched_in_all_processes() -> None:
    inner = "import time; held = bytearray(60_000_000); time.sleep(1.5)"
    outer = f"import subprocess, sys; held = bytearray(50_000_000); subprocess.run([sys.executable, '-c', {inner!r}])"
    peak = watched([sys.executable, "-c", outer])
    assert 60e6 < peak.process < 110e6 < peak.together < 200e6
    forked = "import os, time; held = bytearray(80_000_000); os.fork(); time.sleep(1.5)"
    assert watched([sys.executable, "-c", forked]).together < 110e6
    with pytest.raises(subprocess.CalledProcessError):
        watched([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.more
def test_padding_is_measured_on_a_dataset(tmp_path: Path) -> None:
    data = write(tmp_path / "data", solutions(24))
    benchmark = find("padding")
    measured = benchmark.measure(parse_settings(benchmark.settings, {}, [f"data={data}", "batches=3"], "padding"))
    assert all(figure.value(measured) is not None for figure in benchmark.figures)
    assert measured["grouped_padding"] < measured["plain_padding"]
