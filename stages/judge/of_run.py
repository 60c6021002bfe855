"""The solutions of a finished run, as judges are given them."""

from __future__ import annotations

from pipeline import origin
from pipeline.config import EngineConfig, RunConfig, parse_config
from pipeline.engine.policy import model_fingerprint
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.earlier_run import take_over
from stages.judge.config import JudgingConfig

FOLDER = "judgements"
"""In the run's directory."""


class JudgedRun:
    """See `ledgers.Judged`, and `run.ToJudge`."""

    what = "run"

    def __init__(self, store: Store) -> None:
        self.uri, self.store = store.uri, store
        self.home = Store(store.address(FOLDER))

    def key(self) -> str:
        """By the names of the ledger's files."""
        return origin.digest(sorted(path.rpartition("/")[2] for path in self.store.ledger_files()))

    def settings(self) -> RunConfig:
        """The run's own.

        Raises:
            UserError: the run is not finished.
        """
        if pending := len(self.store.problem_ids() - self.store.done_ids()):
            raise UserError(f"{self.uri}: {pending:,} problems have no solutions yet: finish the run first")
        held = origin.noted(self.store, "config.yaml", "restore this file") or {}
        return parse_config(held, origin=self.uri)

    def written_by(self, engine: EngineConfig, model: str) -> bool:
        """Whether this engine's `model`, by its fingerprint, wrote the solutions."""
        return model == model_fingerprint(self.settings().engine)

    def take_over(self, store: Store, judging: JudgingConfig) -> None:
        """Gives the judge's directory the run's problems, each with the ledger file that holds its solutions.

        Raises:
            UserError: files of the run are damaged.
        """
        take_over(store, self.store)
        # What is copied of how the policy drew says nothing of the judge.
        store.clear("engines")
