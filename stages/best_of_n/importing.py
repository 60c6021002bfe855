"""`visualprm bon import`: a pool of candidates that exist, from a file.

A row has a problem's responses, or one of them, with or without a verdict. Its problem is what the row itself says
(question, images, answer, options: the file is a source), or one of a configuration's, which the row names.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipeline.config import RunConfig, ledger_view, load_config, parse_config
from pipeline.errors import UserError
from pipeline.origin import digest
from pipeline.records import Rejected, Verdict, problem_from_row
from pipeline.store import Store, beside
from pipeline.terminal.speak import say, tell
from stages.annotate.settings_lock import read_templates
from stages.best_of_n.candidates import MAX_CANDIDATES, Solved, frozen, grouped
from stages.best_of_n.given import Columns, Given
from stages.best_of_n.matching import Matched, match_rows, rows_as_problems
from stages.best_of_n.pool import (
    PROBLEMS_AT_ONCE,
    Pool,
    PoolCandidate,
    batched,
    cut_by,
    read_rows,
    refuse_other,
    summary,
    write_pool,
)
from stages.load.problems import tell_rejected, write_rejected
from stages.load.screen import open_screen
from stages.split import check_kind, split
from stages.verify import VerifierPool
from stages.verify.of_run import judge
from stages.verify.version import verifier_version

NAME = "imported"
"""The policy's name where none is given."""


def import_config(file: str, problems: str | None, overrides: list[str]) -> RunConfig:
    """The configuration whose problems the candidates are of: a file's own rows, or those of `problems`."""
    if problems is not None:
        return load_config(problems, overrides)
    name = Path(file).name.partition(".")[0] or NAME
    data = {"name": name, "sources": [{"name": name, "path": file}]}
    return parse_config(data, overrides, origin="bon import")


def import_pool(
    file: str,
    config: RunConfig,
    named: bool,
    columns: Columns,
    n: int | None = None,
    out: str | None = None,
    policy: str | None = None,
) -> None:
    """Reads, judges and freezes.

    Args:
        named: the rows name problems of `config`; else they are its problems.
        n: candidates of every problem; all by default, if each problem has as many.
        out: the pool's folder; `<output_dir>-pool` by default.

    Raises:
        UserError: the file or the settings don't allow it, no candidate can be used, or another pool is there.
    """
    if n is not None and not 1 <= n <= MAX_CANDIDATES:
        raise UserError(f"--n {n}: a pool holds 1 to {MAX_CANDIDATES} candidates per problem")
    folder = out or beside(config.output_dir, "-pool")
    sha = _sha(file)
    view = ledger_view(config)
    about = {"run": config.name, "made_from": digest([sha, view, named, repr(columns), n, policy])}
    if Store(folder).exists("pool.json"):
        refuse_other(Pool(folder), about)
        tell(f"nothing to do: {summary(Pool(folder))}")
        return
    check_kind(config.split.kind)
    templates = read_templates(config)
    screen = open_screen(config)
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(scratch)
        matched = (match_rows if named else rows_as_problems)(file, config, columns, screen, store)
        number = _number(matched, n, folder)
        doubts = _Doubts()
        rejected = Counter(item.reason for item in matched.rejected)
        more = {
            **about,
            "file": Path(file).name,
            "file_sha256": sha,
            "verifier": verifier_version(),
            "num_candidates": number,
            "sampling": {"greedy_first": False, "temperature": None},
            **cut_by(config.split),
            "policy_model": policy or NAME,
            "rejected": rejected,
            "failed": {},
            "given_verdicts": doubts.counts,
        }
        with VerifierPool(config.verify.workers, config.verify.time_limit_s) as verifier:
            items = _items(store, matched, number, config, templates, verifier, doubts, f"{NAME}@{sha[:12]}")
            write_pool(folder, items, more)
    pool = Pool(folder)
    tell_rejected(write_rejected(pool.store, matched.rejected, screen), screen)
    if line := doubts.line():
        say(line)
    tell(summary(pool))


def _sha(file: str) -> str:
    try:
        with open(file, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file}: can't be read: {error.strerror}: correct the path") from error


def _number(matched: Matched, n: int | None, folder: str) -> int:
    """How many candidates each problem gets; those with fewer are set aside.

    Raises:
        UserError: nothing is left, or the problems differ and no number is given.
    """
    sizes = Counter(len(given) for given in matched.given.values())
    if not sizes:
        first = f", the first: {matched.rejected[0].reason}: {matched.rejected[0].detail}" if matched.rejected else ""
        raise UserError(f"{matched.file}: no row gives a candidate of a problem{first}")
    if n is None and len(sizes) > 1:
        told = ", ".join(f"{count:,} have {size}" for size, count in sorted(sizes.items())[:6])
        fewest, most = min(sizes), max(sizes)
        raise UserError(
            f"{matched.file}: the problems differ in their number of candidates ({told}): give --n {min(most, MAX_CANDIDATES)}, "
            f"which leaves out problems with fewer, or --n {fewest}, which takes the first {fewest} of each"
        )
    number = n if n is not None else next(iter(sizes))
    if number > MAX_CANDIDATES:
        raise UserError(f"{matched.file}: {number} candidates a problem, a pool holds {MAX_CANDIDATES}: give --n")
    for problem_id in [key for key, given in matched.given.items() if len(given) < number]:
        source, row_id = matched.names[problem_id]
        detail = f"{len(matched.given.pop(problem_id))} candidates of {number}"
        matched.rejected.append(Rejected(source, row_id, "too_few_candidates", detail))
    if not matched.given:
        raise UserError(f"{matched.file}: no problem has {number} candidates: give a smaller --n")
    return number


class _Doubts:
    """Given verdicts, and how many of them are not the verifier's."""

    def __init__(self) -> None:
        self.counts = {"given": 0, "right_but_not_by_ours": 0, "wrong_but_right_by_ours": 0}
        self._first = ""

    def settle(self, given: Given, ours: Verdict, candidate_id: str) -> Verdict:
        """The verdict that is frozen: the given one; what is not right is named as ours names it."""
        if given.correct is None:
            return ours
        self.counts["given"] += 1
        if given.correct == (ours.status == "correct"):
            return ours
        self.counts["right_but_not_by_ours" if given.correct else "wrong_but_right_by_ours"] += 1
        self._first = self._first or f"{candidate_id} ({'right' if given.correct else 'wrong'}, ours: {ours.status})"
        return Verdict("correct" if given.correct else "incorrect", ours.answer, None, "as given")

    def line(self) -> str:
        right, wrong = self.counts["right_but_not_by_ours"], self.counts["wrong_but_right_by_ours"]
        if not right + wrong:
            return ""
        return (
            f"{right + wrong:,} of {self.counts['given']:,} given verdicts differ from our verifier's ({right:,} right by the "
            f"file alone, {wrong:,} by ours alone); the pool keeps the file's; the first: {self._first}"
        )


def _items(
    store: Store,
    matched: Matched,
    number: int,
    config: RunConfig,
    templates: Mapping[str, str],
    verifier: VerifierPool,
    doubts: _Doubts,
    key: str,
) -> Iterator[tuple[dict[str, Any], list[PoolCandidate]]]:
    """Every problem in order of its id, with its candidates."""
    rows = heapq.merge(*(read_rows(path, store) for path in store.problem_files()), key=itemgetter("problem_id"))
    kept = (row for row in rows if row["problem_id"] in matched.given)

    async def solved(row: Mapping[str, Any]) -> list[Solved]:
        problem, given = problem_from_row(row), matched.given[row["problem_id"]][:number]
        prompt = templates[problem.prompt]
        begun = [judge(problem, one.text, one.finish_reason, prompt, verifier, config) for one in given]
        found = []
        for place, (one, verdict) in enumerate(zip(given, begun, strict=True)):
            candidate_id = f"{problem.problem_id}/{key}/s{place}"
            settled = doubts.settle(one, await verdict, candidate_id)
            steps = tuple(split(one.text, how=config.split))
            found.append(
                Solved(candidate_id, one.text, steps, settled.answer, settled.status, one.finish_reason, None, None)
            )
        return found

    async def chunk_of(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[PoolCandidate]]]:
        solutions = await asyncio.gather(*map(solved, rows))
        own = await asyncio.gather(*(grouped(*pair, verifier) for pair in zip(rows, solutions, strict=True)))
        return [({**frozen(row), "policy_prompt": None}, each) for row, each in zip(rows, own, strict=True)]

    with asyncio.Runner() as runner:
        for chunk in batched(kept, PROBLEMS_AT_ONCE):
            yield from runner.run(chunk_of(chunk))
