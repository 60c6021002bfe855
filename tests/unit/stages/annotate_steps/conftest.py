from __future__ import annotations

from pathlib import Path

import pytest

from stages.annotate_steps.sample import SampleSettings, sample
from stages.annotate_steps.tasks import TaskFolder, read_tasks
from tests.unit.stages.browse import places


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run` and its dataset `data`."""
    folder = tmp_path_factory.mktemp("made")
    store = places.write_run(folder / "run", [places.annotated(number) for number in range(10)])
    places.publish_run(store, folder / "data")
    return folder


@pytest.fixture
def bench(made: Path, tmp_path: Path) -> TaskFolder:
    """Six solutions, all of which Ann and Bo label."""
    sample(str(made / "data"), str(tmp_path / "bench"), SampleSettings(6, None, ("Ann", "Bo"), 1.0, 0))
    return read_tasks(str(tmp_path / "bench"))
