from __future__ import annotations

import pytest

from pipeline.cli import _parse, _then, main
from pipeline.errors import StartError


def test_overrides_stand_before_or_behind_flags() -> None:
    options = _parse(
        ["publish", "runs/x", "label.threshold=0.5", "--reverify", "verify.compat=internvl", "output_dir=y"]
    )
    assert options.reverify
    assert options.words == ["runs/x", "label.threshold=0.5", "verify.compat=internvl", "output_dir=y"]
    assert _parse(["plan", "x.yaml", "--gpu", "h100", "seed=1"]).overrides == ["seed=1"]


@pytest.mark.parametrize("arguments", [["status", "runs/x", "more"], ["plan", "x.yaml", "--gpus", "h100"]])
def test_what_no_command_knows_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        _parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset", "x.yaml"], "resumes from here"),
        (["train", "x.yaml"], "resumes from here"),
        (["bon", "score", "pool", "prm"], "resumes from here"),
        (["score", "prm", "x.jsonl"], "starts over"),
        (["evaluate", "prm", "bench"], "resumes from here"),
    ],
)
def test_a_stop_says_what_the_same_command_does(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    options = _parse(arguments)
    options.command = stopped
    monkeypatch.setattr("pipeline.cli._parse", lambda _: options)
    # The signals' handlers stay as they are for other tests.
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    with pytest.raises(SystemExit, match="130"):
        main(arguments)
    assert capsys.readouterr().err == f"visualprm: stopped; the same command {words}\n"


def test_a_service_that_does_not_start_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> None:
        raise StartError("Ray did not start on this machine")

    options = _parse(["dataset", "x.yaml"])
    options.command = fails
    monkeypatch.setattr("pipeline.cli._parse", lambda _: options)
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    with pytest.raises(SystemExit, match="1"):
        main(["dataset", "x.yaml"])
    assert (
        capsys.readouterr().err == f"visualprm: Ray did not start on this machine; the same command {_then(options)}\n"
    )


def test_a_store_that_refuses_is_one_line_wherever_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> None:
        raise OSError(
            "When reading information for key 'run/x' in bucket 'b': AWS Error NETWORK_CONNECTION:\n too slow"
        )

    options = _parse(["publish", "s3://b/run"])
    options.command = fails
    monkeypatch.setattr("pipeline.cli._parse", lambda _: options)
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    with pytest.raises(SystemExit, match="1"):
        main(["publish", "s3://b/run"])
    assert capsys.readouterr().err == (
        "visualprm: the object store refused: When reading information for key 'run/x' in bucket 'b': AWS Error "
        f"NETWORK_CONNECTION: too slow; the same command {_then(options)}\n"
    )
