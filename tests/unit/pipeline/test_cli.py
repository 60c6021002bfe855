"""A command from its words to its exit status."""

from __future__ import annotations

import pytest

from pipeline.cli import COMMANDS, main
from pipeline.command_line.answer import Answer


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

    # The signals' handlers stay as they are for other tests.
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    monkeypatch.setattr("pipeline.cli._run", stopped)
    with pytest.raises(SystemExit, match="130"):
        main(arguments)
    assert capsys.readouterr().err == f"visualprm: stopped; the same command {words}\n"


def test_what_an_answer_finds_wrong_is_told_after_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.cli.stop_by_signals", lambda: None)
    monkeypatch.setattr(
        "stages.annotate.status.status_of", lambda run: Answer(f"{run}\x1b[2J", {"run": run}, "mend it")
    )
    with pytest.raises(SystemExit, match="2"):
        main(["status", "runs/x"])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("runs/x\N{REPLACEMENT CHARACTER}[2J\n", "visualprm: mend it\n")


def test_every_command_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert "begin with:\n  visualprm dataset configs/demo.yaml" in said
    assert said.count("\n    ") >= len(COMMANDS)
