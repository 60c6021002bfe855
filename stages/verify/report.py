"""`visualprm verify FILE`: judges a file of responses and says how far that agrees with given judgements.

A row is a JSON object with `answer` (the gold) and `response`; optional are `question`, `options` or `choices`
(texts, A first), `verify` (modes), `finish_reason`, `source` and `correct` (true, false, or null for unknown). Where
the judgements were checked, `reviewed_correct` stands above `correct`, and a row whose `suspect` says why its `correct` is
in doubt is not compared.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import VerifyConfig
from pipeline.errors import UserError
from pipeline.records import Verdict
from stages.verify.compat import PromptVersion, reference_modes
from stages.verify.modes import MODES
from stages.verify.pool import VerifierPool

BATCH = 1_000
"""Rows that are judged at once."""


@dataclass
class Agreement:
    """Counts of one source. Rows whose right judgement isn't known are judged and not compared."""

    statuses: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    right: int = 0
    """Compared rows that should be accepted."""
    false_accepts: int = 0
    false_rejects: int = 0

    def add(self, verdict: Verdict, correct: bool | None) -> None:
        """Counts one row."""
        accepted = verdict.status == "correct"
        self.statuses[verdict.status] += 1
        if accepted:
            self.modes[verdict.mode or ""] += 1
        if correct is not None:
            self.compared += 1
            self.right += correct
            self.false_accepts += accepted and not correct
            self.false_rejects += correct and not accepted

    @property
    def accuracy(self) -> float | None:
        """The share of compared rows on which the verdict and `correct` agree."""
        if not self.compared:
            return None
        return 1 - (self.false_accepts + self.false_rejects) / self.compared


def verify_file(path: str | Path, modes: Sequence[str], reference: PromptVersion | None = None) -> Iterator[Row]:
    """Judges the rows of a JSONL file, in order.

    Args:
        modes: for rows without a `verify` field of their own.
        reference: decide as the reference pipeline does for this prompt version, by the modes that it derives from
            a row's `source`.

    Raises:
        UserError: for an unknown mode, and for a line that is no row, with its number.
    """
    _check_modes(modes, "modes")
    rows = list(_read(Path(path)))
    limits = VerifyConfig()
    with VerifierPool(limits.workers, limits.time_limit_s) as pool, asyncio.Runner() as runner:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            verdicts = runner.run(_judge(pool, batch, modes, reference))
            yield from (Row(row, verdict) for row, verdict in zip(batch, verdicts, strict=True))


@dataclass(frozen=True)
class Row:
    """A row of the file and what was found."""

    given: Mapping[str, Any]
    verdict: Verdict


async def _judge(
    pool: VerifierPool, rows: Sequence[Mapping[str, Any]], modes: Sequence[str], reference: PromptVersion | None
) -> list[Verdict]:
    return await asyncio.gather(*(_judge_row(pool, row, modes, reference) for row in rows))


async def _judge_row(
    pool: VerifierPool, row: Mapping[str, Any], modes: Sequence[str], reference: PromptVersion | None
) -> Verdict:
    if reference is not None:
        of_file = reference_modes(str(row.get("source") or ""))
        return await pool.verify_reference(row["answer"], row["response"], of_file, reference)
    return await pool.verify(
        row["answer"],
        row["response"],
        row.get("verify") or modes,
        _options(row),
        row.get("question") or "",
        row.get("finish_reason") or "stop",
    )


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        # Not `splitlines`: JSON may hold other line separators inside its texts.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _checked(line, f"{path}, line {number}")


def _checked(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object")
    for key in ("answer", "response"):
        if not isinstance(row.get(key), str):
            raise UserError(f"{where}: `{key}` must be a text")
    options = _options(row)
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise UserError(f"{where}: `options` must be a list of texts")
    _check_modes(row.get("verify") or (), f"{where}: `verify`")
    for key in ("correct", "reviewed_correct"):
        if row.get(key) not in (True, False, None):
            raise UserError(f"{where}: `{key}` must be true, false or null")
    return row


def _options(row: Mapping[str, Any]) -> Any:
    """The texts of a multiple choice. An object in `options` holds something else, such as settings of a test."""
    options = row.get("options")
    return (None if isinstance(options, Mapping) else options) or row.get("choices") or []


def _known(row: Mapping[str, Any]) -> bool | None:
    """Whether the response is right, as far as that is beyond doubt."""
    reviewed: bool | None = row.get("reviewed_correct")
    if reviewed is not None:
        return reviewed
    return None if row.get("suspect") is not None else row.get("correct")


def _check_modes(modes: Sequence[str], where: str) -> None:
    if unknown := set(modes) - MODES.keys():
        raise UserError(f"{where}: unknown mode {min(unknown)!r}; known are {', '.join(MODES)}")


def agreement(rows: Sequence[Row]) -> dict[str, Agreement]:
    """Counts by source, `all` last."""
    found: dict[str, Agreement] = {}
    for row in rows:
        source = str(row.given.get("source") or "file")
        found.setdefault(source, Agreement()).add(row.verdict, _known(row.given))
    total = Agreement()
    for row in rows:
        total.add(row.verdict, _known(row.given))
    return dict(sorted(found.items())) | {"all": total}


def table(found: Mapping[str, Agreement]) -> str:
    """The counts as aligned text; shares of false accepts are of the wrong rows, of false rejects of the right ones.

    The source that the verdicts agree with least is named at the end, where there are several.
    """
    width = max(len("source"), *(len(source) for source in found))
    header = "  rows  correct  incorrect  other  compared  accuracy    false accepts    false rejects"
    lines = [f"{'source':{width}}  {header}"]
    for source, counts in found.items():
        rows, statuses = counts.statuses.total(), counts.statuses
        other = rows - statuses["correct"] - statuses["incorrect"]
        lines.append(
            f"{source:{width}}  {rows:6}  {statuses['correct']:7}  {statuses['incorrect']:9}  {other:5}"
            f"  {counts.compared:8}  {_percent(counts.accuracy):>8}"
            f"  {_share(counts.false_accepts, counts.compared - counts.right):>15}"
            f"  {_share(counts.false_rejects, counts.right):>15}"
        )
    accuracies = {name: each.accuracy for name, each in found.items() if name != "all" and each.accuracy is not None}
    if len(accuracies) > 1:
        worst = min(accuracies, key=accuracies.__getitem__)
        lines.append(f"worst: {worst}, {_percent(accuracies[worst])}")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _share(count: int, of: int) -> str:
    return f"{count}/{of} ({count / of:.1%})" if of else "-"
