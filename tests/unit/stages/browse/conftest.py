from __future__ import annotations

from pathlib import Path

import pytest

from stages.browse.places import Given, Opened, find, open_all
from tests.unit.stages.browse import places


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes of a test are its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, its dataset `data`, and `bench`."""
    folder = tmp_path_factory.mktemp("made")
    store = places.write_run(folder / "run", [places.annotated(number) for number in range(30)])
    places.publish_run(store, folder / "data")
    places.write_bench(folder / "bench")
    return folder


@pytest.fixture
def given(made: Path) -> Given:
    return find([str(made / name) for name in ("data", "run", "bench")])


@pytest.fixture
def opened(given: Given) -> list[Opened]:
    """The dataset with the run's draws, the run, the bench."""
    return open_all(given)
