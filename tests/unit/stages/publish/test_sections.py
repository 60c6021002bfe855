"""Code that a run's settings name: asked for by its name, never run unasked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cli import main
from pipeline.store import Store
from tests.unit.stages.publish.test_dataset import write_run

pytestmark = pytest.mark.usefixtures("shared_verifiers")


def test_publishing_someone_elses_run_imports_nothing_unless_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "their_code.py").write_text("def section(store, folder, ledger):\n    return 'THEIRS'\n")
    monkeypatch.syspath_prepend(tmp_path)
    store = Store(write_run(tmp_path / "one", "p1"))
    config = yaml.safe_load(store.read_text("config.yaml"))
    config["publish"]["card_sections"] = ["their_code:section"]
    store.write_text("config.yaml", yaml.safe_dump(config))
    card = tmp_path / "data/one/README.md"

    with pytest.raises(SystemExit) as refused:
        main(["publish", store.uri])
    assert refused.value.code == 2
    assert "publish.card_sections names code, their_code:section: add --run-code if" in capsys.readouterr().err
    assert "their_code" not in sys.modules
    assert not card.exists()

    main(["publish", store.uri, "publish.card_sections=[]"])
    assert "THEIRS" not in card.read_text()
    main(["publish", store.uri, "--run-code"])
    assert "THEIRS" in card.read_text()
