"""What a ledger of judgements holds, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.parquet as pq

from pipeline.markdown import markdown_table
from pipeline.store import Store
from stages.judge.answer import VERDICTS


@dataclass
class Summary:
    """Counts over all votes: problems, solutions, votes and how many could not be read and why, verdicts by step, tokens."""

    problems: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    solutions: int = 0
    votes: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float | None = None
    place: str = ""

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def text(self) -> str:
        """For a terminal."""
        steps = self.verdicts.total()
        rows = [(name, f"{self.verdicts[name]:,}", _share(self.verdicts[name], steps)) for name in VERDICTS]
        lines = [
            f"{self.problems:,} problems · {self.solutions:,} solutions · {self.votes:,} answers · {self.tokens:,} tokens "
            f"written, {self.prompt_tokens:,} read" + ("" if self.cost is None else f" · cost {self.cost:.2f}"),
            "",
            markdown_table(("verdict on a step", "votes", "share"), rows),
        ]
        lines += [f"unread: {self.unread.total():,} answers ({_listed(self.unread)})"] if self.unread else []
        lines += [f"not judged: {self.failed.total():,} ({_listed(self.failed)})"] if self.failed else []
        return "\n".join([*lines, f"judgements: {self.place}"])


def summed_up(store: Store) -> Summary:
    """Of a committed ledger of judgements, file by file."""
    found = Summary(place=store.uri)
    names = ["problem_id", "error", "num_prompt_tokens", "num_tokens", "cost", "solutions"]
    seen: set[str] = set()
    costs: list[float | None] = []
    for path in store.ledger_files():
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            # Judgements of before had no cost.
            rows = file.read(columns=[name for name in names if name in file.schema_arrow.names]).to_pylist()
        for row in rows:
            # A block that was committed twice around a crash holds the same rows again.
            if row["problem_id"] not in seen:
                seen.add(row["problem_id"])
                _add(found, row)
                costs.append(row.get("cost"))
    # Where some were judged without a price, nobody knows what all have cost.
    known = [cost for cost in costs if cost is not None]
    found.cost = sum(known) if known and len(known) == len(costs) else None
    return found


def _add(found: Summary, row: dict[str, Any]) -> None:
    found.problems += 1
    found.prompt_tokens += row["num_prompt_tokens"]
    found.tokens += row["num_tokens"]
    if row["error"]:
        found.failed[_reason(row["error"])] += 1
    for solution in row["solutions"]:
        found.solutions += 1
        found.votes += len(solution["votes"])
        if solution["error"]:
            found.failed[_reason(solution["error"])] += 1
        for vote in solution["votes"]:
            if vote["unread"]:
                found.unread[vote["unread"]] += 1
            found.verdicts.update(step["verdict"] for step in vote["steps"] or ())


def _reason(error: str) -> str:
    return error.partition(": ")[0]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
