from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.reference.settings import PARTS, settings_by_part, settings_markdown, settings_text
from tests.places import ROOT


def test_the_page_is_what_the_command_writes() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert page == settings_markdown(), "call `visualprm settings --markdown > docs/settings.md`"


@pytest.mark.parametrize("part", [part.title for part in PARTS])
def test_every_key_has_a_meaning(part: str) -> None:
    silent = [each.key for each in settings_by_part()[part] if not each.meaning]
    assert not silent, "give these fields a docstring, with the unit"


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("sampling.top_k", {"sampling.top_k"}),
        ("batch_size", {"optim.batch_size"}),
        ("sources.0.join.gold.by", {"sources.N.join.NAME.by"}),
        ("sources.3.path", {"sources.N.path"}),
        ("publish", {"publish.max_shard_bytes", "publish.row_group_rows", "publish.card_sections"}),
    ],
)
def test_a_key_is_found_by_its_name_beginning_end_or_with_an_index(asked: str, keys: set[str]) -> None:
    lines = settings_text(asked).splitlines()
    assert {line.split("  (")[0] for line in lines if "; default " in line or "; must be given" in line} == keys


def test_an_unknown_key_is_told_with_the_closest_one() -> None:
    with pytest.raises(UserError, match=r"no key 'sampling.temprature'; did you mean 'sampling.temperature'"):
        settings_text("sampling.temprature")


def test_one_key_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    main(["settings", "rollout.num_draws"])
    _, _, key, meaning, _ = capsys.readouterr().out.splitlines()
    assert key == "rollout.num_draws  (integer ≥ 0; default 16)"
    assert meaning.startswith("    Continuations per prefix (paper: 16)")


def test_the_whole_list_needs_no_heavy_package() -> None:
    program = (
        "import sys\nfrom pipeline.cli import main\nmain(['settings'])\n"
        "print('heavy:', *(name for name in ('ray', 'vllm', 'torch', 'transformers') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"
