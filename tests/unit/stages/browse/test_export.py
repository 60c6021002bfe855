"""One file without a server: everything inside, nothing run but our own script."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.errors import UserError
from stages.browse.export import export
from stages.browse.places import Opened, find, open_all
from tests.unit.stages.browse import places
from tests.unit.stages.browse.test_app import SCRIPT, check_markup, hostile


def test_a_page_holds_pictures_draws_and_how_it_was_made(opened: list[Opened], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = export(opened[0], str(page), [], "worth=few-successes&source=bars", 3, "For our paper.")
    assert "3 problems" in told
    text = page.read_text()
    assert text.count('src="data:image/png;base64,') == 3
    assert "3 of 15 chosen" in text
    assert "licences of their sources. For our paper." in text
    assert "12 ×</b> 56" in text
    assert text.count('<span class="place">') == 3
    assert "<dt>w, W</dt><dd>next and previous wrong step</dd>" in text
    assert not re.search(r"(?:src|href)=\"(?:http|/)", text), "nothing is fetched"


def test_its_policy_allows_its_own_script_and_style_alone(opened: list[Opened], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    export(opened[1], str(page), [opened[1].index.problem_ids[4].as_py()[:12]], "", 20, "")
    text = page.read_text()
    for name in ("script", "style"):
        inside = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{name}-src &#39;sha256-{digest}&#39;".replace("&#39;", "'") in text


def test_a_hostile_dataset_stays_text(tmp_path: Path) -> None:
    places.write_dataset(tmp_path / "data", [hostile(number) for number in range(5)])
    export(open_all(find([str(tmp_path / "data")]))[0], str(tmp_path / "page.html"), [], "", 20, SCRIPT)
    check_markup((tmp_path / "page.html").read_text(), (None,))


@pytest.mark.parametrize(
    ("ids", "link", "most", "message"),
    [
        (["nowhere"], "", 20, "no problem's id begins so"),
        ([], "q=nowhere", 20, "nothing is like that"),
        ([], "colour=red", 20, "names no filter"),
        ([], "", 101, "from 1 to 100"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    opened: list[Opened], tmp_path: Path, ids: list[str], link: str, most: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        export(opened[0], str(tmp_path / "page.html"), ids, link, most, "")


def test_the_command_writes_a_page(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["browse", str(made / "data"), "--export", str(tmp_path / "page.html"), "--most", "2"])
    assert "2 problems" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing", "scores.jsonl"])
def test_a_place_without_anything_to_show_is_one_line(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.jsonl").write_text('{"id": "x", "scores": [0.5]}\n')
    with pytest.raises(SystemExit):
        main(["browse", str(tmp_path / name)])
    assert capsys.readouterr().err.count("\n") == 1
