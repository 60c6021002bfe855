"""Where judgements lie, whose they are, and what made them."""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow.fs as pafs

from pipeline import origin
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.damage import check_run

MEND = "restore it, or judge again under another name"


class Judged(Protocol):
    """Solutions that judges judge: those of a run (`of_run.py`), or of a published dataset (`of_dataset.py`)."""

    uri: str
    what: str
    """`run` or `dataset`."""
    home: Store
    """A folder for each judge, by its name."""

    def key(self) -> str:
        """Stands for what the solutions are: their ids don't say what they hold."""
        ...


def judges(judged: Judged) -> list[str]:
    """The names of those who judged, as far as they have come."""
    home = judged.home
    selector = pafs.FileSelector(home.root, allow_not_found=True)
    folders = [
        info.base_name for info in home.filesystem.get_file_info(selector) if info.type == pafs.FileType.Directory
    ]
    return sorted(name for name in folders if home.exists(name, "ledger.json"))


def judge_of(judged: Judged, name: str | None, option: str = "label.judge") -> Store:
    """The ledger of the judge that has this name, or of the only one; `option` is where the name can be given.

    Raises:
        UserError: there is none, there are several, the judge is not through, or the solutions are others now.
    """
    known, place = judges(judged), judged.uri
    if not known:
        raise UserError(
            f"{place}: nobody has judged this {judged.what}: call `visualprm judge {place} --with FILE` first"
        )
    if name is None and len(known) > 1:
        raise UserError(f"{place}: has judgements of {', '.join(known)}: choose by {option}")
    if name is not None and name not in known:
        raise UserError(f"{option}={name}: {place} has judgements of {', '.join(known)} alone")
    store = Store(judged.home.address(name or known[0]))
    check_run(store, "remove this folder, and judge again")
    held = {"ledger": (origin.noted(store, "ledger.json", MEND) or {}).get("ledger")}
    origin.check(
        store.uri,
        held,
        {"ledger": judged.key()},
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
