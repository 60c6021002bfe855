"""From files as benchmarks come to a published dataset, through `add`'s own config, on the scripted engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from pipeline.records import asked
from tests.integration.conftest import Command, scripted
from tests.integration.test_dataset import published
from tests.unit.stages.load.add.benchmarks import BENCHMARKS, png

LAYOUTS = ("coded pictures", "two files", "messages of parts")


def test_what_add_writes_becomes_a_dataset(visualprm: Command, tmp_path: Path) -> None:
    sources = []
    for name in LAYOUTS:
        (tmp_path / name).mkdir()
        words = BENCHMARKS[name].write(tmp_path / name)
        out = tmp_path / f"{name}.yaml"
        done = visualprm("add", *words, "--name", name.replace(" ", "_"), "--out", out)
        assert done.returncode == 0, done.stderr
        assert out.with_suffix(".png").stat().st_size > 0
        sources += yaml.safe_load(out.read_text())["sources"]
    config = scripted(tmp_path, sources=sources)
    done = visualprm("dataset", config)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = published(tmp_path / "data")
    expected = [row for name in LAYOUTS for row in BENCHMARKS[name].rows]
    assert len(rows) == 2 * len(expected)
    found = {
        (row["question"], row["answer"], tuple(hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]))
        for row in rows
    }
    assert found == {
        (
            asked(row.question, row.options),
            row.answer,
            tuple(hashlib.sha256(png(number)).hexdigest() for number in row.pictures),
        )
        for row in expected
    }
    again = visualprm("dataset", config)
    assert "nothing to do" in again.stdout
