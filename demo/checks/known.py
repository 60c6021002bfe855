"""Which problem of the demo a prompt is about: what engines that stand in for a model of the demo need to know."""

from __future__ import annotations

from collections import defaultdict

import pyarrow.parquet as pq

from pipeline.engine import Prompt
from pipeline.engine.scripted import IMAGE_TOKEN
from pipeline.errors import RowError, UserError
from pipeline.records import IMAGE
from pipeline.store import Store


class KnownProblems:
    """The problems of a run."""

    def __init__(self, run: str) -> None:
        """Raises:
        UserError: no run with loaded problems is there.
        """
        store = Store(run)
        files = store.problem_files()
        if not files:
            raise UserError(f"engine.args.run: {store.uri}: no run with loaded problems is here")
        columns = ["row_id", "question", "images.list.element.sha256"]
        self._names: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for path in files:
            with pq.ParquetFile(path, filesystem=store.filesystem) as file:
                rows = file.read(columns=columns).to_pylist()
            for row in rows:
                question = row["question"].replace(IMAGE, "").strip()
                self._names[row["images"][0]["sha256"]].append((question, row["row_id"]))

    def name(self, prompt: Prompt) -> str:
        """The benchmark's id of the problem: its picture's, and the longest question that is in the prompt.

        Raises:
            RowError: it is about no problem of the run.
        """
        text = text_of(prompt)
        known = self._names.get(prompt.images[0].sha256, ())
        found = [(len(question), name) for question, name in known if question in text]
        if not found:
            raise RowError("prompt_refused", "no problem of engine.args.run has this picture and question")
        return max(found)[1]


def text_of(prompt: Prompt) -> str:
    """The text of a prompt of the scripted engine, whose tokens are bytes."""
    return bytes(token for token in prompt.token_ids if token != IMAGE_TOKEN).decode()
