"""The pages as a reader has them: every one clicked through in Chromium, by mouse and by keys, wide and narrow.

Needs Chromium and the group `browser`; without them it is skipped. `VISUALPRM_SHOTS` names a folder for pictures of the pages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from stages.evaluate.bench import read_bench
from tests.integration.conftest import command, environment
from tests.places import ROOT
from tests.unit.stages.browse import places
from tests.unit.stages.browse.test_app import hostile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    " --disable-sync"
).split()
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="the group `browser` is not installed: make test-more installs it"
)
pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium, and these tests run"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """`serve("browse", …)` → the link that the command prints."""
    running: list[subprocess.Popen] = []

    def begin(*words: object) -> str:
        process = subprocess.Popen(
            command(*words, "--port", 0),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
        running.append(process)
        assert process.stdout
        link = process.stdout.readline().strip()
        assert link.startswith("http://127.0.0.1:"), link
        return link

    yield begin
    for process in running:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)


@pytest.fixture
def page(browser: Any, serve: Any) -> Iterator[Any]:
    """A page that may not write to the console or fail anywhere. It closes before its server does: it may ask until then."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    made, told = context.new_page(), []
    made.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    made.on("pageerror", lambda error: told.append(f"error: {error}"))
    made.on("response", lambda answer: told.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    yield made
    context.close()
    assert told == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    store = places.write_run(folder / "run", [places.annotated(number) for number in range(30)])
    places.publish_run(store, folder / "data")
    places.write_dataset(folder / "hostile", [hostile(number) for number in range(5)])
    return folder


def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("VISUALPRM_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def check(page: Any, name: str) -> None:
    """Nothing serious for people with other eyes or hands, and nothing wider than a telephone."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_load_state("networkidle")
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not found, json.dumps([(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found])
    picture(page, name)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    picture(page, f"{name}-360")
    page.set_viewport_size({"width": 1600, "height": 1000})


def test_a_dataset_is_browsed(page: Any, serve: Any, made: Path) -> None:
    page.goto(serve("browse", made / "data", made / "run"))
    page.get_by_role("link", name="data", exact=False).first.click()
    page.wait_for_selector(".entry")
    assert "token" not in page.url
    check(page, "list")
    page.get_by_text("a label rests on few successes").click()
    page.wait_for_url(re.compile("worth=few-successes"))
    page.fill("#q", '"picture 7?"')
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("q=%22picture"))
    assert page.locator(".entry").count() == 1
    page.get_by_role("link", name="Clear all").first.click()
    page.wait_for_selector("text=30 problems")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("page=2"))
    page.keyboard.press("p")
    page.wait_for_selector("text=page 1 of 2")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=2 of 30")
    page.keyboard.press("w")
    assert page.evaluate("document.activeElement.id") == "s1-2"
    page.keyboard.press("o")
    page.wait_for_selector("text=16 ×")
    assert page.locator(".group:visible").count() == 1
    page.keyboard.press("k")
    page.keyboard.press("o")
    page.wait_for_selector("text=12 ×")
    assert page.locator("math").count() > 0
    check(page, "problem")
    page.keyboard.press("z")
    assert page.locator(".picture.zoomed").count() == 1
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_selector("text=3 of 30")
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("u")
    page.wait_for_selector(".entry")
    page.get_by_role("link", name="Overview").click()
    page.wait_for_selector(".chart")
    check(page, "overview")
    page.goto(page.url.replace("/c/0/overview", "/c/1/progress"))
    page.wait_for_selector("text=30 of 30")
    check(page, "progress")


def test_a_page_without_a_server(page: Any, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = subprocess.run(
        command("browse", made / "run", "--export", out, "--most", 3),
        cwd=ROOT,
        env={**environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=False,
    )
    assert done.returncode == 0
    page.goto(out.as_uri())
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    page.keyboard.press("w")
    assert page.evaluate("document.activeElement.classList.contains('step')")
    page.keyboard.press("o")
    assert page.locator(".group:visible").count() > 0
    check(page, "export")


def test_a_hostile_dataset_runs_nothing(page: Any, serve: Any, made: Path) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a text was run: {dialog.message}"))
    page.goto(serve("browse", made / "hostile"))
    links = page.locator("a.question").evaluate_all("links => links.map(link => link.href)")
    assert len(links) == 5
    for link in links:
        page.goto(link)
        page.wait_for_load_state("networkidle")
        assert page.locator(".step").count() == 2
        assert page.evaluate("document.querySelectorAll('script').length") == 1


def start(page: Any, link: str, name: str) -> None:
    page.goto(link)
    page.select_option("#name", name)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector(".step.current")


def label_all(page: Any, keys: str) -> list[float]:
    """Labels to the end, one key a step; how many ms after each key the next step showed."""
    took: list[float] = []
    for turn in range(500):
        if not page.locator(".labelling").count():
            return took
        took.append(
            page.evaluate(
                """(key) => new Promise((done) => {
                    const here = document.querySelector(".step.current"), began = performance.now();
                    const shown = () => document.querySelector(".step.current") !== here;
                    const look = () => shown() ? done(performance.now() - began) : requestAnimationFrame(look);
                    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                    look();
                })""",
                keys[turn % len(keys)],
            )
        )
    raise AssertionError("never ends")


def test_two_people_label_and_their_bench_is_evaluated(
    page: Any, serve: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bench = tmp_path / "bench"
    settings = ["--solutions", "6", "--annotators", "Ann,Bo", "--overlap", "1"]
    main(["annotate", "sample", str(made / "data"), "--out", str(bench), *settings])
    link = serve("annotate", bench)
    start(page, link, "Ann")
    page.keyboard.press("m")
    page.keyboard.type("looks right")
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.wait_for_selector("text=kept")
    assert page.locator("text=looks right").count() == 1
    page.keyboard.press("u")
    page.wait_for_selector("text=taken back")
    page.keyboard.press("h")
    page.wait_for_selector("#hidden table")
    assert page.locator("#hidden tbody tr").count() == 1, "of the step that is shown"
    page.keyboard.press("z")
    page.keyboard.press("Escape")
    assert page.locator(".picture.zoomed").count() == 0
    page.keyboard.press("c")
    page.wait_for_selector("text=kept")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("m")
    page.keyboard.type("after its label")
    page.keyboard.press("Enter")
    page.wait_for_selector(".own:has-text('after its label')")
    page.keyboard.press("ArrowDown")
    check(page, "annotate")
    took = sorted(label_all(page, "c"))
    print(f"next step after the key: {took[len(took) // 2]:.0f} ms in the middle, {took[-1]:.0f} ms at most")
    page.wait_for_selector("text=All done")
    start(page, link, "Bo")
    label_all(page, "ccccccccccr")
    page.get_by_role("link", name="Disagreements").first.click()
    page.wait_for_selector(".dispute")
    page.locator(".dispute .picture").first.click()
    page.keyboard.press("Escape")
    assert page.locator(".picture.zoomed").count() == 0
    check(page, "disagreements")
    for button in page.locator(".dispute button", has_text="incorrect").all():
        button.click()
    disputes = page.locator(".dispute .own")
    sync_api.expect(disputes.filter(has_text="settled")).to_have_count(disputes.count())
    page.goto(link)
    page.wait_for_selector("text=Krippendorff")
    check(page, "start")
    main(["annotate", "report", str(bench)])
    main(["annotate", "export", str(bench), "--out", str(tmp_path / "out")])
    samples = read_bench(tmp_path / "out").samples
    assert len(samples) == 6
    scores = "".join(json.dumps({"id": one.sample_id, "scores": [0.9] * len(one.steps)}) + "\n" for one in samples)
    (tmp_path / "scores.jsonl").write_text(scores)
    main(["evaluate", str(tmp_path / "scores.jsonl"), str(tmp_path / "out"), "--out", str(tmp_path / "report")])
