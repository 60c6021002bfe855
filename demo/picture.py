"""The README's picture: a problem of a published dataset as `visualprm browse` shows it, with the draws of a wrong step.

    python -m demo.picture data/demo runs/demo docs/sample.png

Needs Chromium and the group `browser`.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from functools import partial

import numpy as np

from pipeline.errors import UserError
from stages.browse.app import create_app
from stages.browse.index import Index
from stages.browse.places import find, open_all
from stages.browse.serving import serve

SIZE = {"width": 1280, "height": 720}
FLAGS = "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update".split()


def telling(index: Index) -> int:
    """The problem with solutions that differ most: some are right, and some begin well and go wrong."""
    first = index.numbers["first_wrong"]
    late = np.bincount(index.problem, first > 1, index.num_problems)
    right = np.bincount(index.problem, first == 0, index.num_problems)
    return int(np.argmax(np.minimum(late, right) * 100 + late))


def draw(dataset: str, run: str, path: str) -> None:
    """Serves both, looks at the telling problem, opens the draws of its first wrong step, and keeps what is seen."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise UserError("demo.picture: no chromium is here: apt-get install chromium")
    given = find([dataset, run])
    opened = open_all(given)
    problem = opened[0].index.problem_ids[telling(opened[0].index)].as_py()
    links: list[str] = []
    ready = threading.Event()

    def told(link: str) -> None:
        links.append(link)
        ready.set()

    # Not `args=`, whose types nobody checks.
    begin = partial(serve, create_app(given, opened), "127.0.0.1", 0, told, f"/c/0/problem?id={problem}")
    threading.Thread(target=begin, daemon=True).start()
    if not ready.wait(60):
        raise UserError("demo.picture: the page is not served after a minute: the lines above say why")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE, device_scale_factor=1.5)
        page.goto(links[0])
        page.wait_for_selector(".step")
        page.keyboard.type("wo")
        page.wait_for_selector(".group")
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("run")
    parser.add_argument("picture")
    options = parser.parse_args()
    draw(options.dataset, options.run, options.picture)


if __name__ == "__main__":
    main()
