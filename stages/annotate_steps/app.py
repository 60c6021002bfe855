"""The page for people who label: one key a step, each label on the disk before the next step shows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment
from pydantic import Field

from pipeline.errors import UserError
from pipeline.settings import Strict
from stages.annotate_steps.agreement import agreement
from stages.annotate_steps.agreement import disagreements as disagreements_of
from stages.annotate_steps.labels import CATEGORIES, Entry, Label, Log, current, read_entries, settled
from stages.annotate_steps.report import agreement_text, build
from stages.annotate_steps.shares import share_of
from stages.annotate_steps.tasks import Task, TaskFolder
from stages.browse import pages, pictures
from stages.browse.app import add_static, picture

FOLDER = Path(__file__).parent


class Start(Strict):
    """Somebody begins to label, or goes on."""

    name: str = Field(min_length=1, max_length=60)


class Said(Strict):
    """A label as the page sends it."""

    task: str
    step: int = Field(ge=0)
    label: Label
    category: str | None = None
    note: str = Field(default="", max_length=2000)
    settles: bool = False


class Look(Strict):
    """Somebody asks for the hidden labels of the first `steps` steps, which are those that they see."""

    task: str
    steps: int = Field(ge=1)


@dataclass
class Session:
    """One visit of one person: their file, what is asked of them, and what they looked at."""

    log: Log
    tasks: list[str]
    looked: set[str] = field(default_factory=set)
    given: list[tuple[str, int, bool]] = field(default_factory=list)


class Labelling:
    """What the routes share. Labels are read from the disk once and kept as they come."""

    def __init__(self, folder: TaskFolder) -> None:
        self.folder = folder
        self.entries = read_entries(folder.path)
        self.sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self.order = {task: number for number, task in enumerate(folder.tasks)}

    def start(self, name: str) -> str:
        """Opens a session; a name that labelled before goes on where it was.

        Raises:
            UserError: the name can't be one, or is not among those who label.
        """
        tasks = share_of(name, list(self.folder.tasks), self.folder.annotators, self.folder.overlap)
        if tasks is None:
            raise UserError(
                f"{name}: labels here are by {', '.join(self.folder.annotators)}: choose one of these names"
            )
        log = Log(self.folder.path, name)
        with self._lock:
            self.sessions[log.session] = Session(log, tasks)
        return log.session

    def session(self, key: str) -> Session:
        if key not in self.sessions:
            raise HTTPException(404, "this session has ended: start again, and it goes on where it was")
        return self.sessions[key]

    def task(self, task: str) -> Task:
        if task not in self.folder.tasks:
            raise HTTPException(404, "no such solution")
        return self.folder.tasks[task]

    def add(self, session: Session, entry: Entry) -> None:
        """On the disk when this returns."""
        made = session.log.add(entry)
        with self._lock:
            self.entries.append(made)

    def said(self, name: str) -> dict[tuple[str, int], Entry]:
        """What a person says now."""
        with self._lock:
            own = [entry for entry in self.entries if entry.annotator == name]
        return {key: held[name] for key, held in current(own).items()}

    def next_task(self, session: Session, after: str | None = None) -> str | None:
        """The next of a person's tasks with a step that they have not labelled; null if there is none."""
        done = self.said(session.log.annotator).keys()
        left = [task for task in session.tasks if any((task, step) not in done for step in self.folder.tasks[task].ask)]
        later = [
            task for task in left if after in session.tasks and session.tasks.index(task) > session.tasks.index(after)
        ]
        return next(iter(later or [task for task in left if task != after] or left), None)

    def others(self, name: str) -> list[str]:
        """Other open sessions of this name."""
        return [key for key, one in self.sessions.items() if one.log.annotator == name]


@lru_cache(maxsize=1)
def environment() -> Environment:
    return pages.make_environment(FOLDER / "templates", pages.FOLDER / "templates")


def create_app(folder: TaskFolder) -> FastAPI:
    """The page as an ASGI application; `stages.browse.security.Guard` belongs around it."""
    app = FastAPI(title="visualprm annotate", docs_url=None, redoc_url=None, openapi_url=None)
    labelling = Labelling(folder)
    add_static(app, FOLDER / "static")

    @app.exception_handler(UserError)
    async def refuse(_: Any, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)

    _add_start(app, labelling)
    _add_labels(app, labelling)
    _add_disagreements(app, labelling)
    return app


def _html(template: str, /, **values: Any) -> HTMLResponse:
    return HTMLResponse(environment().get_template(template).render(categories=CATEGORIES, **values))


def _add_start(app: FastAPI, labelling: Labelling) -> None:
    folder = labelling.folder

    @app.get("/")
    def home() -> HTMLResponse:
        report = build(folder)
        return _html(
            "start.html", folder=folder, report=report, agreement=agreement_text(report.agreement), session=None,
            rule=folder.instruction,
        )  # fmt: skip

    @app.post("/start")
    def start(wanted: Start) -> dict[str, str]:
        return {"session": labelling.start(wanted.name.strip())}

    @app.get("/picture/{number}/{place}")
    def shown(number: int, place: int) -> Response:
        names = list(folder.tasks)
        if not 0 <= number < len(names) or not 0 <= place < len(folder.tasks[names[number]].images):
            raise HTTPException(404, "no such picture")
        return picture(pictures.whole(folder.picture(folder.tasks[names[number]].images[place])))


def _add_labels(app: FastAPI, labelling: Labelling) -> None:
    def part(key: str, task: str | None, template: str) -> HTMLResponse:
        session = labelling.session(key)
        name = session.log.annotator
        said = labelling.said(name)
        done = sum(all((one, step) in said for step in labelling.folder.tasks[one].ask) for one in session.tasks)
        return _html(
            template,
            session=key,
            name=name,
            task=None if task is None else labelling.task(task),
            number=None if task is None else labelling.order[task],
            said={step: entry for (one, step), entry in said.items() if one == task},
            done=done,
            of=len(session.tasks),
            rule=labelling.folder.instruction,
            what="label",
            twice=len(labelling.others(name)) > 1,
        )

    @app.get("/label/{key}")
    def label(key: str, task: str | None = None) -> HTMLResponse:
        return part(key, task or labelling.next_task(labelling.session(key)), "label.html")

    @app.get("/label/{key}/task")
    def task(key: str, after: str | None = None, task: str | None = None) -> HTMLResponse:
        return part(key, task or labelling.next_task(labelling.session(key), after), "task.html")

    @app.post("/label/{key}")
    def add(key: str, said: Said) -> dict[str, Any]:
        session, task = labelling.session(key), labelling.task(said.task)
        if said.step >= len(task.steps) or (said.category is not None and said.category not in CATEGORIES):
            raise HTTPException(422, "no such step or category")
        standing = labelling.said(session.log.annotator).get((task.id, said.step))
        labelling.add(session, _entry(session, said, standing))
        given = (said.task, said.step, said.settles)
        # A step that is labelled anew, or gets a note, is taken back once.
        session.given = [*(one for one in session.given if one != given), given]
        return {"kept": True}

    @app.post("/label/{key}/undo")
    def undo(key: str) -> dict[str, Any]:
        session = labelling.session(key)
        if session.given:
            task, step, settles = session.given.pop()
        else:
            # Of an earlier session of this name: the last label that stands.
            last = max(labelling.said(session.log.annotator).items(), key=lambda item: item[1].at, default=None)
            if last is None:
                raise HTTPException(409, "nothing to take back")
            (task, step), settles = last[0], False
        labelling.add(session, Entry(task, step, None, "", "", 0, settles=settles))
        return {"task": task, "step": step}

    @app.post("/label/{key}/look")
    def look(key: str, wanted: Look) -> HTMLResponse:
        """The dataset's and other people's labels of the steps shown; that somebody looked is written down first."""
        session, task = labelling.session(key), labelling.task(wanted.task)
        name = session.log.annotator
        session.looked.add(task.id)
        # No step: it only says that everything that follows is not blind.
        labelling.add(session, Entry(task.id, -1, None, "", "", 0, saw=True))
        # From the disk: other servers may have added to it.
        held = current(read_entries(labelling.folder.path))
        others = [
            {who: entry for who, entry in held.get((task.id, step), {}).items() if who != name}
            for step in range(min(wanted.steps, len(task.steps)))
        ]
        return _html("hidden.html", task=task, others=others)


def _entry(session: Session, said: Said, standing: Entry | None) -> Entry:
    """What is written of a label; `standing` is what this person says of the step up to now."""
    category = said.category if said.label == "incorrect" else None
    saw = said.task in session.looked
    if standing is not None and not said.settles and (standing.label, standing.category) == (said.label, category):
        # A note is sent with its label again: whether that was given blind stays as it was.
        saw = standing.saw
    return Entry(said.task, said.step, said.label, "", "", 0, category, said.note, saw, said.settles)


def _add_disagreements(app: FastAPI, labelling: Labelling) -> None:
    @app.get("/label/{key}/disagreements")
    def disagreements(key: str) -> HTMLResponse:
        labelling.session(key)
        entries = read_entries(labelling.folder.path)
        held, decided = current(entries), settled(entries)
        rows = [
            (labelling.task(task), labelling.order[task], step, held[task, step])
            for task, step in disagreements_of(held, decided)
            if task in labelling.order
        ]
        return _html(
            "disagreements.html", session=key, what="disagreements", rows=rows, decided=len(decided),
            agreement=agreement_text(agreement(held)), rule=labelling.folder.instruction,
        )  # fmt: skip
