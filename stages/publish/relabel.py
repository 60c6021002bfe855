"""A published dataset with labels of another kind, as a new dataset: texts, pictures, scores and counts stay what they are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import atomic
from pipeline.columns import listed
from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.markdown import markdown_table, quoted
from pipeline.schemas import JUDGE_FIELDS
from pipeline.store import one_line_io_errors, open_uri
from pipeline.store.dataset_files import check_dataset, shard_paths, shard_sums
from pipeline.terminal.speak import tell
from stages.judge.ledgers import judge_of, judged_by
from stages.judge.of_dataset import JudgedDataset
from stages.judge.verdicts import Judgements
from stages.label import stated_kind
from stages.label_rules import LABELS
from stages.publish import card, label_card
from stages.publish.features import with_features
from stages.publish.published_steps import PublishedSteps, check_kind, settings_for, stated_figures
from stages.publish.recipe import judge_rows
from stages.publish.shards import LAST, WRITER_OPTIONS, Shard, check_output, write_documents
from stages.publish.solutions import judge_columns
from stages.publish.stats import KEPT, Stats, count_labels, statistics

_JUDGE_NAMES = [field.name for field in JUDGE_FIELDS]


def relabel(dataset: str, overrides: Sequence[str]) -> None:
    """`visualprm publish DATASET label.kind=… output_dir=…`: the rows in their order, in shards and row groups as they are.

    Raises:
        UserError: the dataset is damaged, lacks what the kind needs, nobody has judged it, or no other folder is named.
    """
    figures = stated_figures(dataset)
    config = settings_for(dataset, figures, overrides)
    if not any(each.startswith("output_dir=") for each in overrides):
        raise UserError(f"{dataset}: labels of another kind make a new dataset: say where with output_dir=…")
    (held_in, source), (filesystem, out) = open_uri(dataset), open_uri(config.output_dir)
    # Where links lead: the new folder takes the place of what lies there.
    out = atomic.place(out, filesystem)
    if filesystem.equals(held_in) and atomic.place(source, held_in) == out:
        raise UserError(f"output_dir={config.output_dir}: is the dataset itself: name another folder")
    check_kind(dataset, figures, config.label)
    check_dataset(dataset)
    judged, judgements = JudgedDataset(dataset), None
    more: dict[str, Any] = {"labelled_from": {"name": posixpath.basename(source), "shards": shard_sums(dataset)}}
    if config.label.needs_judge:
        store = judge_of(judged, config.label.judge)
        judgements = Judgements.of_runs([store])
        more["judges"] = [judged_by(store)]
    check_output(out, filesystem)
    stats = Stats()
    # Also those that nothing could be published of.
    for name in figures["sources"]:
        stats.sources[name].update(dict.fromkeys(KEPT if config.label.kind != "mc" else (), 0))
    with one_line_io_errors(out), atomic.new_folder(out, filesystem, LAST) as folder:
        sums = {}
        for name, tables in _relabelled(dataset, figures, config.label, judgements, stats):
            with atomic.opened(f"{folder}/{name}", filesystem) as sink:
                rows = _write(sink, tables)
            sums[name] = sink.sum
            stats.shards.append(Shard(name, rows, sink.sum.bytes))
        texts = _documents(dataset, posixpath.basename(out), figures, config.label, stats, more)
        write_documents(folder, filesystem, texts, sums)
    tell(f"{dataset}: labelled by {label_card.rule(config.label)}: {config.output_dir}")


def _relabelled(
    dataset: str, figures: Mapping[str, Any], config: LabelConfig, judgements: Judgements | None, stats: Stats
) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """The row groups of each shard, by its name; one is in memory. What is labelled is counted in `stats`."""
    filesystem, shards = shard_paths(dataset)
    kind = stated_kind(figures)

    def groups(path: str) -> Iterator[pa.Table]:
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            for group in range(file.num_row_groups):
                yield _labelled(file.read_row_group(group, use_threads=False), kind, config, judgements, stats)

    for path in shards:
        yield posixpath.basename(path), groups(path)


def _labelled(rows: pa.Table, kind: str, config: LabelConfig, judgements: Judgements | None, stats: Stats) -> pa.Table:
    rows = rows.drop_columns([name for name in _JUDGE_NAMES if name in rows.column_names]).combine_chunks()
    held = rows["steps_with_score"].chunk(0)
    if held.null_count:
        name = rows["id"][held.is_null().index(True).as_py()]
        raise UserError(f"{name}: has no steps_with_score: remove the row")
    steps = PublishedSteps.of(held, kind)
    judged = None if judgements is None else judgements.of(rows["id"].chunk(0), steps.lengths)
    found = steps.labelled(config, None if judged is None else judged.said)
    count_labels(stats, rows["source"].chunk(0), steps.lengths, found)
    flat = held.flatten()
    columns = {each.name: flat.field(each.name) for each in held.type.value_type}
    columns["label"] = pa.array(LABELS).take(pa.array(found.label, mask=found.label < 0))
    values = pa.StructArray.from_arrays(list(columns.values()), fields=list(held.type.value_type))
    at = rows.column_names.index("steps_with_score")
    rows = rows.set_column(at, rows.field(at), listed(held, values, held.type))
    for name, column in ({} if judged is None else judge_columns(judged, held)).items():
        rows = rows.append_column(pa.field(name, column.type), column)
    return rows.cast(with_features(rows.schema))


def _write(sink: atomic.Sink, tables: Iterator[pa.Table]) -> int:
    """Gives the number of rows."""
    writer: pq.ParquetWriter | None = None
    rows = 0
    for table in tables:
        writer = writer or pq.ParquetWriter(sink, table.schema, **WRITER_OPTIONS)
        writer.write_table(table, row_group_size=table.num_rows)
        rows += table.num_rows
    if writer is not None:
        writer.close()
    return rows


def _documents(
    dataset: str,
    name: str,
    figures: Mapping[str, Any],
    config: LabelConfig,
    stats: Stats,
    more: Mapping[str, Any],
) -> dict[str, str]:
    """The card and the statistics: those of the dataset, with what is said of labels in its place."""
    new = statistics(stats.document())
    held = {key: value for key, value in figures.items() if key not in ("judges", "labelled_from")}
    found = {
        **held,
        **more,
        "total": _of_labels(figures["total"], new["total"]),
        "sources": {
            source: _of_labels(figures["sources"].get(source, {}), each) for source, each in new["sources"].items()
        },
        "shards": new["shards"],
        "label": _rule(figures, config),
    }
    return {"README.md": _card(dataset, name, found, config), "stats.json": card.stats_json(found)}


def _rule(figures: Mapping[str, Any], config: LabelConfig) -> dict[str, Any]:
    """The rule as it is stated: nothing is claimed of how draws were counted where the dataset does not say it."""
    rule = config.model_dump(mode="json")
    return {**rule, "missing": (figures.get("label") or {}).get("missing")}


_OF_LABELS = ("incorrect_step_share", "mixed_solution_share", "label_kind")


def _of_labels(held: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in held.items() if key not in _OF_LABELS}
    return {**kept, **{key: new[key] for key in _OF_LABELS if key in new}}


def _card(dataset: str, name: str, figures: Mapping[str, Any], config: LabelConfig) -> str:
    filesystem, folder = open_uri(dataset)
    head, text = _read_card(filesystem, f"{folder}/README.md")
    judge = [markdown_table(("", ""), rows)] if (rows := judge_rows(figures)) else []
    columns = [(f"`{column}`", what) for column, what in card.JUDGE_COLUMNS.items()] if judge else []
    parts = [
        *([head] if head else []),
        f"# {quoted(name)}",
        f"Labels of another kind for `{figures['labelled_from']['name']}`; all else is what it is there. A label is "
        f"{label_card.rule(config)}.",
        *judge,
        *label_card.section(figures, config),
        *([markdown_table(("column", ""), columns)] if columns else []),
        *(
            ["What follows is the card of that dataset; what it says of labels is of those there.", "---", text]
            if text
            else []
        ),
    ]
    return "\n\n".join(parts).rstrip("\n") + "\n"


def _read_card(filesystem: pafs.FileSystem, path: str) -> tuple[str, str]:
    """Its front matter and its text; empty where there is none."""
    if not filesystem.get_file_info(path).is_file:
        return "", ""
    with filesystem.open_input_stream(path) as file:
        text = file.read().decode()
    if not text.startswith("---\n") or (end := text.find("\n---\n", 4)) < 0:
        return "", text.strip()
    return text[: end + 4], text[end + 5 :].strip()
