"""The scripts that shells read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.command_line.completion import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_with_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", shell])
    script = capsys.readouterr().out
    for word in ("frontier", "reverify", "tokens-per-second", "greedy-first"):
        assert word in script


ASK = """
source "$1"
COMP_WORDS=($2 "$3"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p visualprm | grep -o -- '-F [^ ]*' | { read -r _ name; $name visualprm "$3"; printf '%s\\n' "${COMPREPLY[@]}"; }
"""


def test_bash_completes_commands_parts_options_choices_and_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bash = shutil.which("bash")
    assert bash
    main(["completion", "bash"])
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "mine.yaml").touch()

    def complete(before: str, word: str) -> list[str]:
        told = subprocess.run(
            [bash, "--norc", "-c", ASK, "ask", str(script), before, word],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.strip() for line in told.stdout.splitlines()]

    assert complete("visualprm", "front") == ["frontier"]
    assert complete("visualprm bon", "rep") == ["report"]
    assert complete("visualprm plan", "--to") == ["--tokens-per-second"]
    assert complete("visualprm serve --backend", "v") == ["vllm"]
    assert complete("visualprm dataset", "mi") == ["mine.yaml"]
