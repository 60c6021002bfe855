"""Where a run's judgements lie, whose they are, and what made them."""

from __future__ import annotations

from typing import Any

import pyarrow.fs as pafs

from pipeline import origin
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.damage import check_run

FOLDER = "judgements"
"""In a run's directory: a folder for each judge, by its name."""
MEND = "restore it, or judge again under another name"


def judges(run: Store) -> list[str]:
    """The names of the judges of a run."""
    selector = pafs.FileSelector(run.path(FOLDER), allow_not_found=True)
    folders = [
        info.base_name for info in run.filesystem.get_file_info(selector) if info.type == pafs.FileType.Directory
    ]
    return sorted(name for name in folders if run.exists(FOLDER, name, "ledger.json"))


def ledger_key(run: Store) -> str:
    """Stands for the ledger that is judged: ids of solutions don't say what they hold, names of its files do."""
    return origin.digest(sorted(path.rpartition("/")[2] for path in run.ledger_files()))


def judge_of(run: Store, name: str | None, option: str = "label.judge") -> Store:
    """The ledger of the judge that has this name, or of the only one; `option` is where the name can be given.

    Raises:
        UserError: there is none, there are several, the judge is not through, or the run's ledger is another one now.
    """
    known = judges(run)
    if not known:
        raise UserError(f"{run.uri}: nobody has judged this run: call `visualprm judge {run.uri} --with FILE` first")
    if name is None and len(known) > 1:
        raise UserError(f"{run.uri}: has judgements of {', '.join(known)}: choose by {option}")
    if name is not None and name not in known:
        raise UserError(f"{option}={name}: {run.uri} has judgements of {', '.join(known)} alone")
    store = Store(run.address(FOLDER, name or known[0]))
    check_run(store, "remove this folder, and judge again")
    held = {"ledger": (origin.noted(store, "ledger.json", MEND) or {}).get("ledger")}
    origin.check(
        store.uri,
        held,
        {"ledger": ledger_key(run)},
        "judge again under another name",
        "holds judgements of other solutions",
    )
    if pending := len(store.problem_ids() - store.done_ids()):
        raise UserError(f"{store.uri}: {pending:,} problems are not judged yet: call `visualprm judge` again")
    return store


def judged_by(store: Store) -> dict[str, Any]:
    """What made these judgements, for a card: the judge's name and model, what it was asked, whether it saw the answer."""
    held = origin.noted(store, "ledger.json", MEND) or {}
    return {
        "name": store.uri.rstrip("/").rpartition("/")[2].partition("?")[0],
        "kind": held.get("engine.kind"),
        "model": held.get("engine.model"),
        "prompt": held.get("judge.prompt"),
        "votes": held.get("judge.votes"),
        "show_answer": held.get("judge.show_answer"),
    }
