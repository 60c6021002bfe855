"""Every page over HTTP, without a browser; and what a hostile dataset can do to it: nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from stages.browse.app import create_app
from stages.browse.places import Given, Opened, find, open_all
from tests import shards
from tests.unit.stages.browse import places


@pytest.fixture
def client(given: Given, opened: list[Opened]) -> TestClient:
    return TestClient(create_app(given, opened))


def client_of(*paths: Path) -> TestClient:
    given = find([str(path) for path in paths])
    return TestClient(create_app(given, open_all(given)))


def test_the_list_shows_problems_with_their_solutions_and_counts_beside_filters(client: TestClient) -> None:
    page = client.get("/c/0/").text
    assert "<strong>30</strong> problems, <strong>120</strong> solutions" in page
    assert page.count('class="entry"') == 24
    assert "answer incorrect, 3 steps, first wrong step 2" in page
    assert 'title="step 1: 0.06, right"></i><i class="s0" title="step 2: 0.00, wrong"' in page
    assert 'title="step 3: not labelled"' in page
    assert "Label: + if the score is above 0." in client.get("/c/1/").text
    assert re.search(r"a label rests on few successes</span> <span class=\"count\">30<", page)
    assert "page 1 of 2" in page


def test_a_link_holds_the_filters_the_order_and_the_page(client: TestClient) -> None:
    page = client.get("/c/0/?source=bars&worth=right-by-a-wrong-way&q=dots&sort=lowest").text
    assert "<strong>15</strong> problems, <strong>15</strong> solutions of 120" in page
    assert "source=bars&amp;worth=right-by-a-wrong-way&amp;q=dots&amp;sort=lowest" in page
    assert page.count("strip dim") == 45


def test_nothing_found_is_said(client: TestClient) -> None:
    assert "Nothing is like that" in client.get("/c/0/?q=nowhere").text


def test_a_run_in_which_nothing_is_done_yet_says_so(tmp_path: Path) -> None:
    places.write_run(tmp_path / "run", [])
    page = client_of(tmp_path / "run").get("/c/0/").text
    assert "Nothing is like that" not in page
    assert '<a href="/c/0/progress">Progress</a>' in page


def test_a_problem_shows_steps_scores_and_its_place_in_the_list(client: TestClient, opened: list[Opened]) -> None:
    third = opened[0].index.problem_ids[2].as_py()
    page = client.get(f"/c/0/problem?id={third}&worth=few-successes").text
    assert "3 of 30" in page
    assert 'rel="prev"' in page
    assert "worth=few-successes" in page.partition('rel="next"')[2].partition(">")[0]
    assert '1<span class="of">/16</span>' in page
    assert "reference answer <b>56</b>" in page
    assert "incorrect</span>, answered <b>54</b>" in page
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>8</mn></mrow></mfrac>" in page
    assert page.count("data-wrong") == 4, "two wrong steps, and the last steps of two wrong answers"


def test_draws_are_grouped_by_answer_and_shown_where_they_part(client: TestClient) -> None:
    for number in (0, 1):
        page = client.get(f"/c/{number}/of/0/draws/1/0").text
        assert "12 ×</b> 56" in page
        assert "4 ×</b> 54" in page
        assert '<span class="shared">Seven rows of eight make </span><mark class="part"></mark>54.' in page
        assert "number: 54 against 56 · 3 tokens" in page


def test_the_run_page_says_how_far_it_is(client: TestClient) -> None:
    page = client.get("/c/1/progress").text
    assert "30 of 30" in page
    assert "<strong>100.0 %</strong> done" in page
    (link, *others) = re.findall(r'<a href="(/c/1/problem[^"]+)">[0-9a-f]{32}</a>: 2 of 4 solutions right', page)
    assert len(others) == 7
    assert client.get(link).status_code == 200
    assert 'data-refresh="/c/1/progress/part"' in page
    assert client.get("/c/0/progress").status_code == 404


def test_what_was_done_after_the_index_was_made_has_no_link(tmp_path: Path) -> None:
    items = [places.annotated(number) for number in range(3)]
    places.write_run(tmp_path / "run", items, each=1)
    commit = tmp_path / "run/checkpoint/2.parquet"
    commit.rename(tmp_path / "held")
    client = client_of(tmp_path / "run")
    (tmp_path / "held").rename(commit)
    page = client.get("/c/0/progress").text
    assert page.count("2 of 4 solutions right") == 3
    assert page.count("/c/0/problem?id=") == 2
    assert f"<li>{items[2].problem.problem_id}: " in page


def test_the_bench_has_peoples_labels(client: TestClient) -> None:
    page = client.get("/c/2/").text
    assert "<strong>3</strong> problems, <strong>6</strong> solutions" in page
    assert "right, then wrong" in page


def test_the_overview_has_the_figures_of_the_card(client: TestClient) -> None:
    page = client.get("/c/0/overview").text
    assert ">both labels</th>" in page
    assert re.search(r'<th scope="row">all</th><td>30</td><td>120</td><td>390</td>', page)


@pytest.mark.parametrize("path", ["/c/9/", "/c/0/problem?id=none", "/c/0/small/99", "/c/0/picture/0/7", "/c/0/of/0/draws/9/0",
                                  "/static/..%2Fapp.py", "/static/app.py", "/t/0", "/c/-1/", "/c/0/small/-1"])  # fmt: skip
def test_what_is_not_there_is_404(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_picture_is_served_as_what_it_is(client: TestClient) -> None:
    whole, small = client.get("/c/0/picture/0/0"), client.get("/c/0/small/0")
    assert (whole.headers["content-type"], small.headers["content-type"]) == ("image/png", "image/webp")


def test_a_training_shows_its_curves(tmp_path: Path) -> None:
    folder = tmp_path / "prm/checkpoints/checkpoint-20"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(
        '{"global_step": 20, "max_steps": 40, "log_history": [{"step": 10, "loss": 0.6}, {"step": 20, "loss": 0.4},'
        ' {"step": 20, "eval_macro_f1": 0.71, "eval_auc": 0.8}]}'
    )
    page = client_of(tmp_path / "prm").get("/t/0").text
    assert "20 of 40" in page
    assert "loss 0.400" in page
    assert "macro f1 0.710" in page


class Markup(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        for name, value in attrs:
            if name in ("href", "src", "action", "data-from", "data-refresh"):
                assert re.match(r"[/?#]|data:image/", value or ""), f"{name}={value}"
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


def check_markup(text: str, scripts: tuple[str | None, ...] = ("/static/browse.js",)) -> None:
    """There are these scripts and no handlers, and every link stays on the page's own host."""
    assert tuple(Markup(text).scripts) == scripts


SCRIPT = "<script>alert(1)</script>"
NASTY = [
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    "$\\text{<script>alert(1)</script>}$ and $\\href{javascript:alert(1)}{x}$",
    "{{ 7 * 7 }} {% raw %}",
    "</style></script></textarea><svg onload=alert(1)>",
]


def hostile(number: int) -> dict[str, Any]:
    text = NASTY[number % len(NASTY)]
    pictures = [
        b"",
        b"not a picture",
        shards.picture(1)[:40],
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    ]
    steps = [{**shards.step(text, 3), "origin": "measured"}, shards.step("a " * 500_000 + text, 0)]
    return {
        **shards.row(number, 0, steps),
        "source": text,
        "question": text,
        "answer": text,
        "response_answer": text,
        "policy_model": text,
        "prompt": text,
        "contamination": [text],
        "images": [{"bytes": pictures[number % len(pictures)], "path": text}],
        "id": f"{number:032x}{text.replace('/', '')}/policy/s0",
    }


def test_a_hostile_dataset_runs_nothing_and_breaks_no_page(tmp_path: Path) -> None:
    places.write_dataset(tmp_path / "data", [hostile(number) for number in range(10)])
    client = client_of(tmp_path / "data")
    pages = [
        "/c/0/",
        "/c/0/overview",
        "/c/0/?q=%3Cscript%3E&source=" + quote(SCRIPT),
        "/c/0/?sort=%22%3E&page=0&low=x&page=1e9",
    ]
    ids = [f"{number:032x}{NASTY[number % 5].replace('/', '')}" for number in range(10)]
    pages += [f"/c/0/problem?id={quote(name)}" for name in ids]
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 200, path
        check_markup(answer.text)
        assert len(answer.text) < 400_000, "a step of a million characters is shortened"
    for number in range(10):
        for path in (f"/c/0/small/{number}", f"/c/0/picture/{number}/0"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("image/")
            assert b"<script" not in answer.content
    whole = client.get("/c/0/of/0/text/0/1")
    assert len(whole.text) > 1_000_000
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
