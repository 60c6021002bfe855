"""The pages over HTTP."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from stages.browse import formulas, overview, pages, pictures, under_way
from stages.browse.places import Given, Opened
from stages.browse.query import PAGE, SORTS, Query, Selection, search, select

_STATIC = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_KEPT = "private, max-age=600"


class Browser:
    """What the routes share: the collections, and the answers to the last queries."""

    def __init__(self, given: Given, opened: Sequence[Opened]) -> None:
        self.given, self.opened = given, opened
        self._texts = functools.lru_cache(maxsize=8)(self._search)
        self._selections = functools.lru_cache(maxsize=32)(self._select)
        self.small = functools.lru_cache(maxsize=2048)(self._small)
        self.charts = functools.lru_cache(maxsize=8)(self._charts)

    def one(self, number: int) -> Opened:
        if not 0 <= number < len(self.opened):
            raise HTTPException(404, "no such collection")
        return self.opened[number]

    def query(self, number: int, request: Request) -> Query:
        return Query.parse(request.query_params.multi_items(), [facet.key for facet in self.one(number).facets])

    def selection(self, number: int, asked: Query) -> Selection:
        """Without regard to the page."""
        return self._selections(number, asked.at(1))

    def step(self, number: int, problem: int, solution: int, step: int) -> Any:
        self.check(number, problem)
        try:
            return self.one(number).problem(problem).solutions[solution].steps[step]
        except IndexError as error:
            raise HTTPException(404, "no such step") from error

    def check(self, number: int, problem: int) -> None:
        if not 0 <= problem < self.one(number).index.num_problems:
            raise HTTPException(404, "no such problem")

    def _search(self, number: int, text: str) -> Any:
        return search(self.one(number).index, text)

    def _select(self, number: int, asked: Query) -> Selection:
        one = self.one(number)
        return select(one.index, asked, one.facets, self._texts(number, asked.text) if asked.text else None)

    def _small(self, number: int, problem: int) -> tuple[bytes, str]:
        found = self.one(number).pictures(problem)
        return pictures.small(found[0]) if found else (pictures.placeholder("no picture"), "image/svg+xml")

    def _charts(self, number: int) -> Any:
        index = self.one(number).index
        table = overview.by_source(index)
        return table, overview.charts(index, table)


def create_app(given: Given, opened: Sequence[Opened]) -> FastAPI:
    """The pages as an ASGI application; `stages.browse.security.Guard` belongs around it."""
    app = FastAPI(title="visualprm browse", docs_url=None, redoc_url=None, openapi_url=None)
    browser = Browser(given, opened)
    _add_home(app, browser)
    _add_lists(app, browser)
    _add_problems(app, browser)
    _add_progress(app, browser)
    return app


def add_static(app: FastAPI, *folders: Path) -> None:
    """The style sheet and the scripts, with those of more folders."""
    files = {path.name: path for folder in (pages.FOLDER / "static", *folders) for path in folder.iterdir()}

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "no such file")
        kind = _STATIC[name.rpartition(".")[2]]
        return Response(files[name].read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})


def picture(found: tuple[bytes, str]) -> Response:
    """A picture that has been looked at."""
    return Response(found[0], media_type=found[1], headers={"cache-control": _KEPT})


def _add_home(app: FastAPI, browser: Browser) -> None:
    add_static(app)

    @app.get("/")
    def home() -> Response:
        if len(browser.opened) == 1 and not browser.given.trainings:
            return RedirectResponse("/c/0/", 303)
        head = pages.navigation(browser.opened, None, "home")
        return HTMLResponse(pages.render("home.html", **head, trainings=browser.given.trainings))


def _add_lists(app: FastAPI, browser: Browser) -> None:
    @app.get("/c/{number}/")
    def problems(number: int, request: Request) -> HTMLResponse:
        one, asked = browser.one(number), browser.query(number, request)
        found = browser.selection(number, asked)
        asked = asked.at(min(asked.page, found.pages))
        first = (asked.page - 1) * PAGE
        shown = found.problems[first : first + PAGE]
        return HTMLResponse(
            pages.render(
                "list.html",
                **pages.navigation(browser.opened, number, "list"),
                query=asked,
                selection=found,
                sorts=SORTS,
                first=first,
                total=len(one.index),
                shown=pages.SHOWN_VALUES,
                entries=pages.entries(one.index, [int(each) for each in shown], found.solutions),
                facets=[(facet, pages.choices(facet, found.counts[facet.key], asked)) for facet in one.facets],
                link=lambda name: urlencode([("id", name), *asked.pairs()]),
            )
        )

    @app.get("/c/{number}/overview")
    def figures(number: int) -> HTMLResponse:
        one = browser.one(number)
        table, charts = browser.charts(number)
        warnings, facts = under_way.told(one)
        head = pages.navigation(browser.opened, number, "overview")
        return HTMLResponse(
            pages.render("overview.html", **head, table=table, charts=charts, warnings=warnings, facts=facts)
        )

    @app.get("/c/{number}/small/{problem}")
    def small(number: int, problem: int) -> Response:
        browser.check(number, problem)
        return picture(browser.small(number, problem))

    @app.get("/c/{number}/picture/{problem}/{place}")
    def whole(number: int, problem: int, place: int) -> Response:
        browser.check(number, problem)
        found = browser.one(number).pictures(problem)
        if not 0 <= place < len(found):
            raise HTTPException(404, "no such picture")
        return picture(pictures.whole(found[place]))


def _add_problems(app: FastAPI, browser: Browser) -> None:
    @app.get("/c/{number}/problem")
    def problem(number: int, request: Request, id: str) -> HTMLResponse:
        one, asked = browser.one(number), browser.query(number, request)
        place = one.index.problem_number(id)
        if place is None:
            raise HTTPException(404, "no such problem")
        found = browser.selection(number, asked)
        before, after, at = pages.neighbours(found, place)

        def link(other: int | None) -> str | None:
            return None if other is None else urlencode([("id", one.index.problem_ids[other].as_py()), *asked.pairs()])

        page = asked.at(1 if at is None else (at - 1) // PAGE + 1)
        return HTMLResponse(
            pages.render(
                "problem.html",
                **pages.navigation(browser.opened, number, "problem"),
                problem=one.problem(place),
                number=place,
                before=link(before),
                after=link(after),
                place=at,
                selection=found,
                back=page.address(),
                longest=formulas.LONGEST,
            )
        )

    @app.get("/c/{number}/of/{problem}/draws/{solution}/{step}")
    def draws(number: int, problem: int, solution: int, step: int) -> HTMLResponse:
        return HTMLResponse(pages.render("draws.html", step=browser.step(number, problem, solution, step)))

    @app.get("/c/{number}/of/{problem}/text/{solution}/{step}")
    def text(number: int, problem: int, solution: int, step: int) -> PlainTextResponse:
        return PlainTextResponse(browser.step(number, problem, solution, step).text)


def _add_progress(app: FastAPI, browser: Browser) -> None:
    def run_html(number: int) -> str:
        found = browser.one(number)
        if found.collection.kind != "run":
            raise HTTPException(404, "not a run")
        return under_way.run_html(found, f"/c/{number}/")

    def training(number: int) -> Any:
        if not 0 <= number < len(browser.given.trainings):
            raise HTTPException(404, "no such training")
        return browser.given.trainings[number]

    @app.get("/c/{number}/progress")
    def progress(number: int) -> HTMLResponse:
        inside = run_html(number)
        head = pages.navigation(browser.opened, number, "progress")
        title = browser.one(number).collection.name
        return HTMLResponse(
            pages.render("progress.html", **head, title=title, part=f"/c/{number}/progress/part", inside=inside)
        )

    @app.get("/c/{number}/progress/part")
    def progress_part(number: int) -> HTMLResponse:
        return HTMLResponse(run_html(number))

    @app.get("/t/{number}")
    def learning(number: int) -> HTMLResponse:
        folder = training(number)
        head = pages.navigation(browser.opened, None, "training")
        inside = under_way.training_html(folder)
        return HTMLResponse(
            pages.render("progress.html", **head, title=folder.name, part=f"/t/{number}/part", inside=inside)
        )

    @app.get("/t/{number}/part")
    def learning_part(number: int) -> HTMLResponse:
        return HTMLResponse(under_way.training_html(training(number)))
