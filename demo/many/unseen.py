"""What a reward model is worth on pictures whose values it has never seen: `python -m demo.many.unseen`.

The demo's splits share no question about the same values, but other questions about them: each of the 36 rings stands in every
split. Here two reward models learn from the kept 1,000 problems as `value` did, each without the problems whose picture shows
what half of those test problems show. Both have lost as much; each test problem is judged by the one that has seen its values
and by the one that has not. Starts from what `make reproduce` made and is kept; trainings resume.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demo.benchmark import problem
from demo.many.held_out import HELD_OUT, SEED
from demo.many.table import FEW, MANY, RESAMPLES, SIZES, told
from demo.reproduction.kept import UNPACKED, unpack
from demo.reproduction.plan import TEMPERATURES, TRAIN_CONFIG, VISUALPRM
from demo.reproduction.tasks import Task, run
from pipeline import atomic, manifest
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import RowError
from pipeline.markdown import compact_table
from pipeline.records import problem_of
from pipeline.store import Store
from stages.best_of_n.compare import bootstrap
from stages.best_of_n.expected import Floats, best_of
from stages.best_of_n.pool import Pool, PoolProblem
from stages.publish.shards import WRITER_OPTIONS
from stages.reward.model import Candidate, ProcessRewardModel
from stages.train.selection import is_held_out

HOME = Path("outputs/many/unseen")
FOLDS = (0, 1)


def shown(name: str) -> str:
    """What the picture of the demo problem of this name shows."""
    found = problem(name)
    return f"{found.family} {found.shown}"


def fold_of(values: str) -> int:
    """Which of the two models does not see these values."""
    return hashlib.sha256(values.encode()).digest()[0] % len(FOLDS)


def names(store: Store) -> dict[str, str]:
    """The benchmark's own name of each problem of a run or a pool, by its id."""
    files = store.problem_files() if store.exists("problems") else [store.path("problems.parquet")]
    tables = [pq.read_table(path, columns=["problem_id", "row_id"], filesystem=store.filesystem) for path in files]
    return {row["problem_id"]: row["row_id"] for table in tables for row in table.to_pylist()}


def write_without(left_out: set[str], dataset: Path, out: Path) -> None:
    """A copy of a published dataset without the solutions of some problems, given by id."""
    with atomic.new_folder(out) as aside:
        for path in sorted(dataset.iterdir()):
            if path.suffix != ".parquet":
                if path.name != manifest.FILE:
                    shutil.copy(path, aside)
                continue
            table = pq.read_table(path)
            keep = pa.array([problem_of(one) not in left_out for one in table["id"].to_pylist()])
            pq.write_table(table.filter(keep), Path(aside, path.name), **WRITER_OPTIONS)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    unpack(["run", "dataset", *(f"pool-{at}" for at in TEMPERATURES)])
    _forget_others((UNPACKED / "dataset.sha256").read_text())
    learnt = {key: shown(name) for key, name in names(Store(str(UNPACKED / "run"))).items()}
    trained_on = {values for key, values in learnt.items() if not is_held_out(key, HELD_OUT, SEED)}
    pool = Pool(str(UNPACKED / f"pool-{TEMPERATURES[0]}"))
    tested = {key: values for key, name in names(pool.store).items() if (values := shown(name)) in trained_on}
    for fold in FOLDS:
        hidden = {values for values in tested.values() if fold_of(values) == fold}
        data = HOME / f"data-{fold}"
        if not data.exists():
            write_without({key for key, values in learnt.items() if values in hidden}, UNPACKED / "dataset", data)
    run([[_training(fold) for fold in FOLDS]], HOME / "done")
    models = [ProcessRewardModel.from_pretrained(str(HOME / f"model-{fold}")) for fold in FOLDS]
    text = "\n\n".join(
        f"At temperature {at}:\n\n{_table(Pool(str(UNPACKED / f'pool-{at}')), tested, models)}" for at in TEMPERATURES
    )
    atomic.write(HOME / "table.md", text + "\n")
    print(text)


def _forget_others(dataset: str) -> None:
    """Removes what was made of another kept dataset; `dataset` is the sum of this one."""
    note = HOME / "dataset.sha256"
    if HOME.exists() and not (note.is_file() and note.read_text() == dataset):
        shutil.rmtree(HOME)
    HOME.mkdir(parents=True, exist_ok=True)
    atomic.write(note, dataset)


def _training(fold: int) -> Task:
    model = HOME / f"model-{fold}"
    where = (f"data.path={HOME / f'data-{fold}'}", f"output_dir={model}", f"seed={SEED}")
    return Task(f"train-{fold}", (*VISUALPRM, "train", TRAIN_CONFIG, f"name=many-unseen-{fold}", *where), model)


def _table(pool: Pool, tested: Mapping[str, str], models: Sequence[ProcessRewardModel]) -> str:
    """Right answers in % of the best of N by the mean of the steps, the values seen and unseen, with the difference's interval.

    `models` are by fold; `tested` has what the judged problems show.
    """

    def critics(one: PoolProblem) -> Sequence[ProcessRewardModel]:
        fold = fold_of(tested[one.problem_id])
        return models[1 - fold], models[fold]

    problems = [one for one in pool.problems() if one.problem_id in tested]
    both = np.array(list(_accuracies(problems, critics)))
    families = [one.source.rpartition("/")[2] for one in problems]
    rows = []
    for family in ("all", *sorted(set(families))):
        own = both[[family in ("all", each) for each in families]]
        gains = bootstrap(own[:, 1] - own[:, 0], RESAMPLES, SEED)
        cells = [
            cell
            for at, gain in enumerate(gains)
            for cell in (*(f"{100 * own[:, critic, at].mean():.1f}" for critic in (0, 1)), told(gain))
        ]
        rows.append([family, str(len(own)), *cells])
    head = [f"N = {size}, {what}" for size in (FEW, MANY) for what in ("seen", "unseen", "difference")]
    return compact_table(["family", "problems", *head], rows)


def _accuracies(
    problems: Sequence[PoolProblem], critics: Callable[[PoolProblem], Sequence[ProcessRewardModel]]
) -> Iterator[list[Floats]]:
    """Of each problem the expected accuracy of the best of N, by each of its critics; shape (critics, sizes)."""
    for one in problems:
        right = np.array([each.correct for each in one.candidates])
        found = []
        for critic in critics(one):
            scores = _means(critic, one)
            found.append(np.array([best_of(scores, right, size) for size in SIZES]))
        yield found


def _means(critic: ProcessRewardModel, one: PoolProblem) -> Floats:
    """The mean score of each candidate's steps, NaN where there is none; equal responses are scored once."""
    images = tuple(image.data for image in one.images)
    texts = list({each.steps: None for each in one.candidates if each.steps})
    scored = critic.score_many([Candidate(one.question, images, steps) for steps in texts])
    mean = {
        steps: np.nan if isinstance(scores, RowError) else float(np.mean(scores))
        for steps, scores in zip(texts, scored, strict=True)
    }
    return np.array([mean.get(each.steps, np.nan) for each in one.candidates])


if __name__ == "__main__":
    with one_line_errors("unseen"):
        main()
