"""What the judges of a run say of the steps of a problem, with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store
from stages.browse.collection import JudgedView, ProblemView
from stages.judge.answer import CATEGORIES, VERDICTS
from stages.judge.ledgers import judges
from stages.judge.of_run import JudgedRun
from stages.judge.records import JUDGED_SOLUTION
from stages.judge.verdicts import Judgements


class RunJudges:
    """The judgements that lie in a run's directory, read where a problem is looked at. Those under way show what is committed."""

    def __init__(self, run: Store) -> None:
        self._run = JudgedRun(run)
        self._held: dict[str, tuple[list[str], dict[str, str]]] = {}
        """Of each judge the files that were there when it was last looked at, and the file of each problem."""

    def add(self, view: ProblemView) -> None:
        """Adds what each judge says to the steps of those solutions that it judged as they are."""
        for name in judges(self._run):
            store = Store(self._run.home.address(name))
            held = self._of_problem(name, store, view.id)
            shown = [one for one in view.solutions if one.id in held and held[one.id]["num_steps"] == len(one.steps)]
            own = [held[one.id] for one in shown]
            for solution, said in zip(shown, _said(name, own), strict=True):
                for step, one in zip(solution.steps, said, strict=True):
                    step.judges.append(one)

    def _of_problem(self, name: str, store: Store, problem_id: str) -> dict[str, Mapping[str, Any]]:
        """By id: what was said of each solution of a problem."""
        path = self._places(name, store).get(problem_id)
        if path is None:
            return {}
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            rows = file.read(columns=["problem_id", "solutions"]).to_pylist()
        return {one["solution_id"]: one for row in rows if row["problem_id"] == problem_id for one in row["solutions"]}

    def _places(self, name: str, store: Store) -> dict[str, str]:
        """The file of each problem, read anew where the files are others."""
        files = store.ledger_files()
        held = self._held.get(name)
        if held is None or held[0] != files:
            held = self._held[name] = (files, _places(store, files))
        return held[1]


def _places(store: Store, files: Sequence[str]) -> dict[str, str]:
    """The file of each problem; of two the first counts."""
    found: dict[str, str] = {}
    for path in files:
        for key in store.ids([path]):
            found.setdefault(key, path)
    return found


def _said(judge: str, solutions: Sequence[Mapping[str, Any]]) -> Iterator[list[JudgedView]]:
    """Of each solution and step: what most votes say, and the reasons of these, or of all where there is no majority."""
    ids = pa.array([one["solution_id"] for one in solutions], pa.string())
    lengths = np.array([one["num_steps"] for one in solutions], np.int64)
    together = Judgements.of_parts([pa.array(list(solutions), JUDGED_SOLUTION)]).of(ids, lengths)
    place = 0
    for one in solutions:
        made = []
        for step in range(one["num_steps"]):
            verdict, category = int(together.verdict[place]), int(together.category[place])
            said = VERDICTS[verdict] if verdict >= 0 else None
            opinions = [vote["steps"][step] for vote in one["votes"] if vote["steps"] is not None]
            reasons = [each["reason"] for each in opinions if said in (None, each["verdict"]) and each["reason"]]
            found = CATEGORIES[category] if category >= 0 else None
            made.append(JudgedView(judge, said, found, int(together.votes[place]), tuple(dict.fromkeys(reasons))))
            place += 1
        yield made
