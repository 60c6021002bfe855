"""The verifier on its own: `verify`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_json
from pipeline.config import SourceConfig


def add(commands: Any) -> None:
    verify = new_command(
        commands,
        "verify",
        "judge files of responses against their gold answers",
        "docs/verdicts.md",
        ["responses.jsonl", "responses.jsonl --modes choice,number --out verdicts.jsonl --disagreements"],
    )
    verify.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JSON lines, CSV or Parquet with `answer`, `response` and optionally `question`, `options`, `verify`, `finish_reason`,"
        " `id`, `source`, `correct`, `suspect`, `reviewed_correct`",
    )
    usual = ",".join(SourceConfig.model_fields["verify"].default)
    verify.add_argument("--modes", default=usual, help=f"modes for rows that name none ({usual})")
    verify.add_argument(
        "--compat",
        choices=("internvl",),
        help="decide as the reference code does, its defects included; modes follow from a row's `source`",
    )
    verify.add_argument(
        "--prompt-version",
        choices=("en", "zh", "en_v2", "zh_v2", "en_r1", "zh_r1"),
        default="en_v2",
        help="the form of answer that --compat looks for; en_v2, a box, by default",
    )
    verify.add_argument("--out", metavar="FILE", help="write each row's status, answer, mode and reason as JSON lines")
    verify.add_argument(
        "--disagreements",
        action="store_true",
        help="show the rows whose verdict differs from `correct`, each with the end of its response",
    )
    takes_json(verify)
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> Answer:
    from stages.verify.report import agreement, disagreements, figures, record, table, verify_file

    reference = options.prompt_version if options.compat else None
    modes = options.modes.split(",")
    rows = [row for path in options.files for row in verify_file(path, modes, reference=reference)]
    if options.out is not None:
        _write(options.out, [record(row) for row in rows])
    found = agreement(rows)
    lines = [*(disagreements(rows) if options.disagreements else ()), table(found)]
    data: dict[str, Any] = {"sources": {name: figures(each) for name, each in found.items() if name != "all"}}
    data["total"] = figures(found["all"])
    data["disagreements"] = [record(row) for row in rows if row.agrees is False]
    return Answer("\n".join(lines), data)


def _write(path: str, records: list[dict[str, Any]]) -> None:
    from pipeline.errors import UserError

    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records)
    try:
        Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"--out {path}: can't be written: {error.strerror}") from error
