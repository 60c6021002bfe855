"""Whether responses are right, by the verifier, for rewards that depend on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from pipeline.errors import UserError
from pipeline.records import Verdict
from stages.verify import VerifierPool
from stages.verify.modes import MODES

MODES_BY_DEFAULT = ("choice", "number", "math", "text")


class Outcomes:
    """Judges answers against golds; its processes start with the first answer that needs them."""

    def __init__(self, modes: Sequence[str] = MODES_BY_DEFAULT, workers: int = 1, time_limit_s: float = 5) -> None:
        """Raises UserError for a mode that there isn't."""
        if unknown := [mode for mode in modes if mode not in MODES]:
            raise UserError(f"verify: there is no mode {unknown[0]!r}: choose among {', '.join(MODES)}")
        self._modes = list(modes)
        self._pool = VerifierPool(workers, time_limit_s)

    async def correct(self, gold: str, response: str, question: str = "") -> bool | None:
        """Null where the verifier could not say: it ran out of time, or failed."""
        verdict: Verdict = await self._pool.verify(gold, response, self._modes, question=question)
        return None if verdict.status in ("timeout", "error") else verdict.status == "correct"

    def all_correct(self, asked: Sequence[tuple[str, str, str]]) -> list[bool | None]:
        """`correct` for many (gold, response, question), from where no event loop runs."""

        async def judge() -> list[bool | None]:
            return list(await asyncio.gather(*(self.correct(*each) for each in asked)))

        return asyncio.run(judge())

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
