"""`visualprm add`: what a benchmark's files are, the entry that reads them, some rows as the policy will see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig, load_config
from pipeline.errors import UserError
from pipeline.markdown import counted
from pipeline.records import Problem, asked
from pipeline.terminal.speak import tell
from stages.load.add.entry import Entry, default_name
from stages.load.add.finding import SAMPLE, find_entry
from stages.load.add.layout import Layout
from stages.load.add.layouts import find_layout
from stages.load.add.modes import fitting_modes
from stages.load.add.sheet import write_sheet
from stages.load.check import check_sources
from stages.load.parse import load

SHOWN = 3
"""Problems that are shown."""
MAX_CHECKED = 20_000
"""Rows of a source that `add` checks; of a larger one a sample."""
MAX_TEXT = 1500
ONLY_CHARTS = "solves the demo's charts only"
"""What `demo/policy`, the only model at hand, is good for."""


def add_source(
    paths: Sequence[str], images: str | None, name: str | None, out: str | None, given: Mapping[str, Any]
) -> None:
    """Looks, writes the config and the contact sheet, shows three problems and checks the source.

    Args:
        paths: a file, folder, pattern or dataset of the hub; or two files that belong together.
        images: where the pictures lie, if not beside the rows.
        name: the source's name; from its file's name otherwise.
        out: the config to write; `<name>.yaml` otherwise.
        given: settings of the entry that are taken as they are.

    Raises:
        UserError: nothing can be read, the config exists, or no row can be used.
    """
    name = name or default_name(paths)
    path = Path(out or f"{name}.yaml")
    if path.exists():
        raise UserError(f"{path}: is there already: remove it, or name another with --out")
    layout = find_layout(paths, given)
    entry = find_entry(layout, images, given, name)
    tell(_described(layout, entry))
    problems = _problems(entry)
    if "verify" not in entry.settings and problems:
        entry.settings["verify"], entry.remarks["verify"] = fitting_modes(problems, whole=len(problems) == entry.rows)
    path.write_text(_config(name, layout, entry), encoding="utf-8")
    tell(f"\nwritten to {path}:\n\n{entry.yaml()}\n")
    _show(problems[:SHOWN], path.with_suffix(".png"))
    if entry.decisions:
        tell("\n".join([f"to decide, in {path}:", *(f"  {decision}" for decision in entry.decisions), ""]))
    _check(path, entry)


def _described(layout: Layout, entry: Entry) -> str:
    if entry.rows is None:
        rows = f"the first {entry.looked_at:,} rows were looked at"
    elif entry.rows > entry.looked_at:
        rows = f"{entry.rows:,} rows, of which {entry.looked_at:,} were looked at, evenly spaced"
    else:
        rows = f"{entry.rows:,} rows, all looked at"
    return "\n".join([f"{layout.kind}; {rows}", *layout.notes])


def _problems(entry: Entry) -> list[Problem]:
    """Some of the source's problems as the entry reads them, not yet judged; none where their golds can't be told."""
    if entry.undecided:
        return []
    source = SourceConfig(**entry.settings)
    source = source.model_copy(update={"limit": source.limit or SAMPLE, "gold": _settled(source)})
    return [item for item in load(source, lambda problem: None) if isinstance(item, Problem)]


def _settled(source: SourceConfig) -> Any:
    """What a source's golds are; letters where no row that was looked at has options. To find out would read all rows."""
    return "letter" if source.gold == "auto" else source.gold


def _config(name: str, layout: Layout, entry: Entry) -> str:
    return "\n".join(
        [
            f"# {layout.kind}. Written by `visualprm add`: confirm or correct what it found,",
            "# then read every row with `visualprm check` and this file.",
            f"name: {name}",
            "prompt: prompts/boxed_v1.txt",
            "sources:",
            entry.yaml(),
            "engine:",
            f"  model: demo/policy  # {ONLY_CHARTS}: put yours here, a folder or a hub id",
            "",
        ]
    )


def _show(problems: Sequence[Problem], sheet: Path) -> None:
    """Problems as the policy will see them."""
    for problem in problems:
        text = asked(problem.question, problem.options)
        shown = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
        tell(f"--- {problem.row_id} ({counted(len(problem.images), 'image')})\n{shown}\n=> {problem.answer}\n")
    if problems:
        write_sheet(problems, sheet)
        tell(f"their pictures: {sheet}\n")


def _check(path: Path, entry: Entry) -> None:
    config = load_config(path)
    if entry.undecided:
        raise UserError(f"{path}: source {entry.settings['name']!r}: gold: {entry.undecided}")
    if "limit" not in entry.settings and (entry.rows is None or entry.rows > MAX_CHECKED):
        tell(f"checked: {SAMPLE:,} of the rows; `visualprm check {path}` reads all")
        sources = (source.model_copy(update={"limit": SAMPLE, "gold": _settled(source)}) for source in config.sources)
        config = config.model_copy(update={"sources": tuple(sources)})
    report = check_sources(config)
    tell(report.text)
    if report.wrong:
        raise UserError(f"{path}: {report.wrong}")
    tell(_next(path))


def _next(path: Path) -> str:
    """What a person types now."""
    return "\n".join(
        [
            f"\nnext: set engine.model in {path}; demo/policy {ONLY_CHARTS}, its answers to others are wrong. Then",
            f"  visualprm check {path}      # reads every row and judges every gold",
            f"  visualprm plan {path}       # what a run will need",
            f"  visualprm dataset {path}    # solutions, step labels and the dataset",
        ]
    )
