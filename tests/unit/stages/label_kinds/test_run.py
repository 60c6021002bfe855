"""Which judge `label-kinds` heeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from stages.label_kinds.run import compared
from stages.publish.dataset import republish
from stages.verify.version import verifier_version
from tests.unit.stages.publish.test_dataset import judged, write_run
from tests.unit.stages.publish.test_rows import read

pytestmark = pytest.mark.usefixtures("shared_verifiers")


def test_the_judge_is_the_one_named_or_that_of_the_runs_settings(tmp_path: Path) -> None:
    run = write_run(tmp_path / "one", "p1", verifier=verifier_version())
    republish([run], [])
    rows = {row["id"]: row for row in read(tmp_path / "data/one")}
    judged(Path(run), rows)
    judged(Path(run), {}, "ben", problems=0)

    def labelled(judge: str | None, *overrides: str) -> int:
        kinds = {kind["name"]: kind for kind in compared(run, overrides, judge, [])["kinds"]}
        return int(kinds["judge"]["labelled"])

    with pytest.raises(UserError, match=r"has judgements of anna, ben: choose by --judge$"):
        labelled(None)
    with pytest.raises(UserError, match=r"--judge=carla: .* has judgements of anna, ben alone"):
        labelled("carla")
    with pytest.raises(UserError, match=r"label\.judge=carla: "):
        labelled(None, "label.kind=judge", "label.judge=carla")
    assert labelled("anna") == labelled(None, "label.kind=judge", "label.judge=anna") > 0
    with pytest.raises(UserError, match=r"ben: 6 problems are not judged yet"):
        labelled("ben", "label.kind=judge", "label.judge=anna")
