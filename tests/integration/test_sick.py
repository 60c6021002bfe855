"""A process of a run is stopped, killed or asked to end: the short form of `make faults ARGS=processes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.processes import disturbed, undisturbed
from tests.faults.results import MENDED

pytestmark = pytest.mark.more


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return undisturbed(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize(
    ("victim", "number", "statuses"),
    [
        ("engine", "STOP", (0,)),
        ("engine", "KILL", (0,)),
        ("raylet", "STOP", (1,)),
        ("gcs_server", "STOP", (1,)),
        ("driver", "TERM", (130,)),
        ("driver", "KILL", (-9,)),
    ],
)
def test_a_sick_process_costs_time_alone(
    victim: str, number: str, statuses: tuple[int, ...], expected: dict[str, str], tmp_path: Path
) -> None:
    row = disturbed(tmp_path / "run", victim, number, expected)
    assert row.outcome == MENDED, row
    assert row.status in statuses, row
