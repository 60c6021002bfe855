"""Other people's formats: `import`, `export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.command_line.arguments import new_command
from pipeline.inputs import read_input
from stages.exchange.formats import exports, readers

_PAGE = "docs/formats.md"


def add(commands: Any) -> None:
    reading = new_command(
        commands,
        "import",
        "convert a released corpus into a published dataset",
        _PAGE,
        ["raw VisualPRM400K-v1.1-Raw data/released", "conversations VisualPRM400K-v1.1 data/v1.1"],
    )
    kinds = "; ".join(f"{name}: {reader.holds}" for name, reader in readers().items())
    reading.add_argument("format", choices=list(readers()), help=kinds)
    reading.add_argument("path", help="a .jsonl file, a folder or zip of them, or the folder of a release")
    reading.add_argument("out", help="the dataset's folder")
    reading.add_argument("--images", help="the image folder, zip or its first part; by default found beside the rows")
    reading.add_argument("--drop", type=int, metavar="N", help="leading components of image paths to drop")
    reading.add_argument("--single-turn", action="store_true", help="also take conversations with a single label")
    reading.add_argument(
        "--threshold", type=_threshold, default=0.0, help="label a step + if its score is above this (0)"
    )
    reading.set_defaults(command=_import)

    writing = new_command(
        commands,
        "export",
        "write a published dataset in another format",
        _PAGE,
        ["data/demo conversations exports/demo"],
    )
    writing.add_argument("dataset", help="a published dataset's folder")
    writing.add_argument("format", choices=exports(), help="see docs/formats.md")
    writing.add_argument("out", help="a new folder")
    writing.add_argument("--threshold", type=_threshold, help="label again: + if the score is above this")
    writing.add_argument("--cut-after-error", action="store_true", help="end each conversation after its first -")
    writing.add_argument("--system", metavar="FILE", help="the system turn of rows that have none")
    writing.add_argument("--push-to-hub", metavar="REPO", help="upload the export to this dataset repository")
    writing.add_argument("--private", action="store_true", help="with --push-to-hub: a private repository")
    writing.set_defaults(command=_export)


def _threshold(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1)")
    return value


def _import(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import tell
    from stages.exchange.format import ImportOptions
    from stages.exchange.importing import import_corpus

    chosen = ImportOptions(options.images, options.drop, options.single_turn, options.threshold)
    tell(import_corpus(options.format, options.path, options.out, chosen))


def _export(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import tell
    from stages.exchange.exporting import DEFAULT_SYSTEM, check_options, export_dataset
    from stages.exchange.format import ExportOptions
    from stages.exchange.hub import push_to_hub

    given = {
        "--threshold": options.threshold is not None,
        "--cut-after-error": options.cut_after_error,
        "--system": options.system is not None,
    }
    check_options(options.format, [option for option, is_given in given.items() if is_given])
    system = read_input("--system", options.system or str(DEFAULT_SYSTEM)).strip()
    name = Path(options.out).resolve().name
    chosen = ExportOptions(name, system, options.threshold, options.cut_after_error)
    tell(export_dataset(options.dataset, options.format, options.out, chosen))
    if options.push_to_hub:
        tell(push_to_hub(options.out, options.push_to_hub, options.private))
