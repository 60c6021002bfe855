"""`visualprm score`: a file of solutions to a file of scores, a chunk of rows at a time, here or in Ray's actors."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import atomic
from pipeline.engine.parcel import Parcel, packed, parcel_of_folder
from pipeline.errors import RowError, UserError
from pipeline.store import one_line_io_errors
from pipeline.terminal.bar import counted
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say
from stages.load.sources.roots import Folder
from stages.reward.aggregate import AGGREGATORS, aggregate
from stages.reward.kept_scores import KeptScores, made_from
from stages.reward.model import Candidate, Scorer, read_config
from stages.reward.open_scorer import ScoreOptions, note_untrained, open_scorer, opened
from stages.reward.solutions import SUFFIXES, Chunk, candidate, chunks, read_rows

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("row", pa.int64()),
        ("steps", pa.list_(pa.string())),
        ("step_scores", pa.list_(pa.float64())),
        ("step_low", pa.list_(pa.float64())),
        ("step_high", pa.list_(pa.float64())),
        ("scores", pa.struct([(name, pa.float64()) for name in AGGREGATORS])),
        ("error", pa.string()),
    ]
)


def score_file(
    file: Path, out: Path, options: ScoreOptions, replicas: int | None = None, address: str | None = None
) -> str:
    """Writes a row of scores for every row of `file`, in order; returns what was counted, for a person.

    `replicas` models score side by side in Ray Data's actors (each with a GPU where there are some); without, one
    model scores in this process. `out` appears when it is complete; until then `<out>.part` keeps what is scored, and the
    same call goes on behind it.

    Raises:
        UserError: the file, the output's place or the model can't be used, or no row has a score: then nothing is written.
    """
    if out.suffix not in SUFFIXES:
        raise UserError(f"--out {out}: end its name in {' or '.join(SUFFIXES)}")
    if options.max_steps is not None and options.max_steps < 1:
        raise UserError(f"--max-steps {options.max_steps}: must be at least 1")
    if replicas is not None and replicas < 1:
        raise UserError(f"--replicas {replicas}: must be at least 1; leave it out to score in this process")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")
    if out.exists() and not options.overwrite:
        raise UserError(f"{out}: exists: name another file with --out, or replace it with --overwrite")
    parts = chunks(file)
    failures: Counter[str] = Counter()
    first = ""
    total = steps = 0
    how = [options.backend, options.dtype, options.images, options.max_steps, SCHEMA.names]
    kept = KeptScores(out, made_from(file, options.model, how), [part.rows for part in parts])
    done = False
    try:
        with (
            one_line_io_errors(str(out)),
            quiet(str(out.with_suffix(".logs")), goes_on=False),
            closing(_rows(parts[kept.chunks :], options, replicas, address)) as rows,
            atomic.new_file(out) as written,
            _Writer(written, out.suffix) as writer,
        ):
            for row in counted(chain(kept.read(), kept.add(rows)), sum(part.rows for part in parts), "solution"):
                total += 1
                steps += len(row["step_scores"] or ())
                failures.update([row["error"].split(":")[0]] if row["error"] else [])
                first = first or (f"row {row['row']}: {row['error']}" if row["error"] else "")
                writer.add(row)
            if failures.total() == total:
                # Nothing to keep: whoever mends it wants all of it tried again.
                done = True
                raise UserError(_nothing_scored(file, total, failures, first))
        done = True
    finally:
        kept.close(remove=done)
    left = "".join(f"\n  without a score: {count} × {reason}" for reason, count in failures.most_common())
    return f"{total - failures.total():,} of {total:,} solutions, {steps:,} steps scored: {out}{left}"


def _nothing_scored(file: Path, total: int, failures: Counter[str], first: str) -> str:
    if not total:
        return f"{file}: holds no solution, so nothing was scored"
    reasons = ", ".join(f"{count} × {reason}" for reason, count in failures.most_common())
    return f"{file}: none of {total:,} solutions could be scored: {reasons} ({' '.join(first.split())})"


def score_chunk(chunk: Chunk, scorer: Scorer, options: ScoreOptions) -> list[dict[str, Any]]:
    """A row of `SCHEMA` for every row of the chunk."""
    root = Folder(Path(options.images)) if options.images else Folder(Path(chunk.path).parent)
    read: list[tuple[str, Candidate | RowError]] = []
    for row in read_rows(chunk):
        try:
            if isinstance(row, RowError):
                raise row
            read.append((_text(row.get("id")), candidate(row, root, scorer.config, options.max_steps)))
        except RowError as error:
            read.append((_text(row.get("id")) if isinstance(row, dict) else "", error))
    scores = iter(scorer.score_many([item for _, item in read if isinstance(item, Candidate)]))
    return [
        _output(name, chunk.first + index, item, next(scores) if isinstance(item, Candidate) else item)
        for index, (name, item) in enumerate(read)
    ]


def _output(name: str, index: int, item: Candidate | RowError, found: Sequence[float] | RowError) -> dict[str, Any]:
    scored: dict[str, Any] = {
        "step_scores": None,
        "step_low": None,
        "step_high": None,
        "scores": None,
        "error": str(found),
    }
    if not isinstance(found, RowError):
        assert isinstance(item, Candidate)  # only what was read has scores
        scores = item.without_context(found)
        low, high = item.bounds(found)
        own = [score for score in scores if score is not None]
        scored = {"step_scores": scores, "step_low": low, "step_high": high, "scores": aggregate(own), "error": None}
    steps = list(item.steps) if isinstance(item, Candidate) else None
    return {"id": name, "row": index, "steps": steps, **scored}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _rows(
    parts: Sequence[Chunk], options: ScoreOptions, replicas: int | None, address: str | None
) -> Generator[dict[str, Any], None, None]:
    if replicas:
        yield from _score_with_ray(parts, options, replicas, address)
        return
    say(f"loading {options.model}")
    with open_scorer(options) as scorer:
        for part in parts:
            yield from score_chunk(part, scorer, options)


class _RayScorer:
    """A model in an actor of Ray Data."""

    def __init__(self, options: ScoreOptions, parcel: Parcel | None) -> None:
        """`parcel` is the model's folder, where it may lie elsewhere on this machine."""
        if parcel is not None:
            options = replace(options, model=parcel.opened())
        self._options = options
        # Entered for good: the actor's end is the engine's.
        self._opened = opened(options)
        self._scorer = self._opened.__enter__()

    def __call__(self, batch: dict[str, Any]) -> pa.Table:
        rows = [
            row
            for text in batch["chunk"]
            for row in score_chunk(Chunk(**json.loads(text)), self._scorer, self._options)
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def _score_with_ray(
    parts: Sequence[Chunk], options: ScoreOptions, replicas: int, address: str | None
) -> Iterator[dict[str, Any]]:
    from pipeline.cluster.session import ray_at

    note_untrained(options.model, read_config(options.model))
    with ray_at(address):
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        # Actors elsewhere have another working directory.
        items = [{"chunk": json.dumps(asdict(replace(part, path=os.path.abspath(part.path))))} for part in parts]
        there = replace(options, images=options.images and os.path.abspath(options.images))
        parcel = parcel_of_folder(options.model) if address else None
        scored = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _RayScorer,
            fn_constructor_args=(there, packed(parcel, ship=False) if parcel else None),
            batch_size=1,
            compute=ActorPoolStrategy(size=replicas),
            num_cpus=0,
            num_gpus=1 if ray.cluster_resources().get("GPU", 0) else 0,
        )
        for table in scored.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from table.to_pylist()


class _Writer:
    """Rows of `SCHEMA` to JSONL or Parquet."""

    def __init__(self, file: pa.NativeFile, suffix: str) -> None:
        self._rows: list[dict[str, Any]] = []
        self._text = file if suffix == ".jsonl" else None
        self._table = pq.ParquetWriter(file, SCHEMA) if suffix == ".parquet" else None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._table:
            self._flush()
            self._table.close()

    def add(self, row: dict[str, Any]) -> None:
        if self._text:
            self._text.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            return
        self._rows.append(row)
        if len(self._rows) == 1024:
            self._flush()

    def _flush(self) -> None:
        if self._table and self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []
