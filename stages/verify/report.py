"""`visualprm verify FILES`: judges files of responses and says how far that agrees with given judgements."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import VerifyConfig
from pipeline.records import Verdict
from stages.verify.compat import PromptVersion, reference_modes
from stages.verify.pool import VerifierPool
from stages.verify.rows import Row, check_modes, options_of, read_rows

BATCH = 1_000
"""Rows that are judged at once."""
MAX_SHOWN = 240
"""Characters of a response, from its end, that stand beside a disagreement."""


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
    """Judges the rows of a file, in order.

    Args:
        modes: for rows without a `verify` field of their own.
        reference: decide as the reference pipeline does for this prompt version, by the modes that it derives from
            a row's `source`.

    Raises:
        UserError: for an unknown mode, and for a row that is none, with its number.
    """
    check_modes(modes, "modes")
    rows = list(read_rows(Path(path)))
    limits = VerifyConfig()
    with VerifierPool(limits.workers, limits.time_limit_s) as pool, asyncio.Runner() as runner:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            verdicts = runner.run(_judge(pool, [row for _, row in batch], modes, reference))
            for (number, row), verdict in zip(batch, verdicts, strict=True):
                yield Row(row, verdict, str(path), number)


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
        options_of(row),
        row.get("question") or "",
        row.get("finish_reason") or "stop",
    )


def agreement(rows: Sequence[Row]) -> dict[str, Agreement]:
    """Counts by source, `all` last."""
    found: dict[str, Agreement] = {}
    for row in rows:
        source = str(row.given.get("source") or "file")
        found.setdefault(source, Agreement()).add(row.verdict, row.known)
    total = Agreement()
    for row in rows:
        total.add(row.verdict, row.known)
    return dict(sorted(found.items())) | {"all": total}


def figures(counts: Agreement) -> dict[str, Any]:
    """What `--json` says of a source; `accuracy` is null where no row says what is right."""
    return {
        "rows": counts.statuses.total(),
        "statuses": dict(counts.statuses.most_common()),
        "modes": dict(counts.modes.most_common()),
        "compared": counts.compared,
        "right": counts.right,
        "false_accepts": counts.false_accepts,
        "false_rejects": counts.false_rejects,
        "accuracy": counts.accuracy,
    }


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


def record(row: Row) -> dict[str, Any]:
    """What `--out` writes of a row: where it stands, the verdict, and whether it agrees with what is known."""
    verdict = row.verdict
    return {
        "file": row.file,
        "row": row.number,
        "id": row.given.get("id"),
        "status": verdict.status,
        "answer": verdict.answer,
        "mode": verdict.mode,
        "reason": verdict.reason,
        "correct": row.known,
        "agrees": row.agrees,
    }


def disagreements(rows: Iterable[Row]) -> Iterator[str]:
    """Of each row whose verdict differs from what is known, both, and the end of the response in one line."""
    for row in rows:
        if row.agrees is False:
            verdict, given = row.verdict, "right" if row.known else "wrong"
            name = f"{row.file}, row {row.number}" + (f" ({row.given['id']})" if row.given.get("id") else "")
            found = "no answer" if verdict.answer is None else f"'{printable(verdict.answer)}'"
            yield (
                f"{name}: judged {verdict.status} by {verdict.mode or 'no mode'} ({verdict.reason}), said to be {given};"
                f" gold '{printable(row.given['answer'])[:MAX_SHOWN]}', found {found}\n"
                f"    … {printable(row.given['response'][-MAX_SHOWN:])}"
            )


def printable(text: str) -> str:
    """A text with its control characters escaped, so that a terminal shows them and does not obey them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )
