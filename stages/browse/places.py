"""From the paths that a user gives to collections and the critics that judged them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.browse.benches import LabelledBench
from stages.browse.collection import Collection, ProblemView
from stages.browse.critics import Critic, pool_critics, read_critic
from stages.browse.index import Index, open_index
from stages.browse.parts import no_such
from stages.browse.pools import CandidatePool
from stages.browse.published import Published
from stages.browse.query import Facet, facets
from stages.browse.runs import RunLedger
from stages.publish import label_card


@dataclass
class Opened:
    """A collection with its index, the critics that scored it, and the runs that hold the draws of its steps."""

    collection: Collection
    critics: list[Critic]
    index: Index
    facets: list[Facet]
    runs: list[Opened] = field(default_factory=list)

    @property
    def has_draws(self) -> bool:
        return self.collection.has_draws or bool(self.runs)

    @cached_property
    def label_rule(self) -> str:
        """When a step is labelled `+`, and when `-`; empty where nothing says so."""
        settings = self.collection.figures().get("label")
        if not settings:
            return ""
        try:
            config = parse_settings(LabelConfig, settings, origin=self.collection.uri)
        except UserError:
            # Another version, or somebody else, wrote it.
            return ""
        return label_card.rule(config).replace("`", "")

    def problem(self, number: int) -> ProblemView:
        """A problem with all its solutions, what critics said of them, and the draws of the runs that are open, too."""
        solutions = self.index.solutions_of(number)
        view = self.collection.problem([self.index.place(int(one)) for one in solutions])
        _add_critics(view, self.critics)
        for run in self.runs:
            _add_draws(view, run)
        return view

    def pictures(self, number: int) -> list[bytes]:
        """The pictures of a problem, as they are stored."""
        return self.collection.pictures(self.index.place(int(self.index.solutions_of(number)[0])))


@dataclass
class Given:
    """What the paths name: collections to list, trainings to watch, and files of scores."""

    collections: list[Collection] = field(default_factory=list)
    trainings: list[Path] = field(default_factory=list)
    scores: list[Critic] = field(default_factory=list)


def find(paths: Sequence[str]) -> Given:
    """What lies at each path.

    Raises:
        UserError: nothing to show is there, or only scores.
    """
    given = Given()
    for path in paths:
        if path.endswith(".parquet") or (path.endswith(".jsonl") and _has_scores(path)):
            given.scores.append(read_critic(path))
        elif is_training(path):
            given.trainings.append(Path(path))
        else:
            given.collections.append(open_collection(path))
    if not given.collections and not given.trainings:
        raise UserError(f"{paths[0]}: scores alone say nothing: name the dataset, run or bench that they are of, too")
    return given


def open_collection(path: str) -> Collection:
    """The collection at a path.

    Raises:
        UserError: none is there.
    """
    store = Store(path)
    if store.exists("ledger.json"):
        return RunLedger(path)
    if store.exists("pool.json"):
        return CandidatePool(path)
    if store.local and (Path(path).is_file() or (any(Path(path).glob("*.json*")) and not _has_shards(store))):
        return LabelledBench(path)
    if not _has_shards(store):
        raise no_such(path, "nothing that can be shown is here")
    return Published(path)


def open_all(given: Given, tell: Callable[[str], None] | None = None) -> list[Opened]:
    """Every collection with its index; a dataset gets the draws of the runs that are given with it."""
    found = [opened(one, given.scores, tell) for one in given.collections]
    runs = [one for one in found if one.collection.has_draws]
    for one in found:
        one.runs = [] if one.collection.has_draws else runs
    return found


def opened(collection: Collection, scores: Sequence[Critic], tell: Callable[[str], None] | None = None) -> Opened:
    """A collection with its index as its files are now."""
    critics = [*scores, *(pool_critics(collection) if isinstance(collection, CandidatePool) else [])]
    index = open_index(collection, collection.stamp, critics, tell)
    return Opened(collection, critics, index, facets(index))


def _add_critics(view: ProblemView, critics: Sequence[Critic]) -> None:
    for critic in critics:
        for solution, said in zip(view.solutions, critic.of([one.id for one in view.solutions]), strict=True):
            if said is not None and len(said) == len(solution.steps):
                for step, of_step in zip(solution.steps, said, strict=True):
                    step.critics.append(of_step)


def _add_draws(view: ProblemView, run: Opened) -> None:
    number = run.index.problem_number(view.id)
    if number is None:
        return
    places = [run.index.place(int(one)) for one in run.index.solutions_of(number)]
    held = {one.id: one for one in run.collection.problem(places).solutions}
    for solution in view.solutions:
        drawn = held.get(solution.id)
        if drawn is None or len(drawn.steps) != len(solution.steps):
            continue
        solution.mode, solution.reason, solution.status = drawn.mode, drawn.reason, drawn.status
        for step, other in zip(solution.steps, drawn.steps, strict=True):
            step.draws = other.draws
            # A dataset has a judge's verdicts without their reasons.
            step.judges = other.judges or step.judges


def is_training(path: str) -> bool:
    """Whether a folder is one of a training: a reward model, or the checkpoints of one."""
    folder = Path(path)
    return (
        "://" not in path
        and folder.is_dir()
        and ((folder / "prm_config.json").is_file() or any(folder.glob("**/trainer_state.json")))
    )


def _has_scores(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            head = file.readline(1 << 16)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    return '"scores"' in head or '"step_scores"' in head


def _has_shards(store: Store) -> bool:
    return any(path.rpartition("/")[2].startswith("train-") for path in store.files("", ".parquet"))
