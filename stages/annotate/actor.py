"""What every actor with an engine does: it starts it, counts, holds work back while its cache is full, and dies with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

from pipeline.config import BudgetConfig, RunConfig
from pipeline.engine import make_engine
from pipeline.errors import EngineDead, UserError
from pipeline.store import Store
from pipeline.terminal.speak import say, say_fault
from stages.annotate.budget import spent, used
from stages.annotate.counters import Meter
from stages.annotate.engines import known_split, note_engine
from stages.annotate.nodes import Wanted, engine_may_start_here

FULL_CACHE = 0.9
"""The share of the engine's KV cache in use above which no further problem is begun."""
MOST_LOSSES = 3
"""Engines that may die over one problem in a call of the driver before it is given up."""


def given_up(losses: int) -> str | None:
    """Why a problem is given up that so many engines died over; null while it is tried again."""
    if losses < MOST_LOSSES:
        return None
    return f"engine_lost: {losses} engines died while they worked on this problem"


class EngineActor:
    """One engine, and what is under way on it; the store is that of `config.run_dir`."""

    def __init__(
        self,
        config: RunConfig,
        model: str,
        ours: str | None,
        judged: Callable[[], int] = int,
        wanted: Wanted | None = None,
    ) -> None:
        """Starts the engine.

        Args:
            model: what `model_fingerprint` says of it.
            ours: the version of this package at the driver.
            judged: how many answers the verifiers have been asked about.
            wanted: what a node of a cluster must have; None on this machine alone.
        """
        engine = config.engine
        if wanted is not None:
            engine_may_start_here(wanted)
            if wanted.parcel is not None:
                # Where it lies on this node; the settings keep the name that was written.
                engine = engine.model_copy(update={"model": wanted.parcel.opened()})
        if engine.bounds != (1, 1):
            # Engines that each bind their threads to the first cores would share those and leave the rest idle.
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        self._config = config
        self._under_way = 0
        self._door = asyncio.Lock()
        self._begun: set[str] = set()
        self._one_suspect = asyncio.Lock()
        self._store = Store(config.run_dir)
        # Before the engine starts: if this process is stopped meanwhile, the driver's watch must know of it.
        self._meter = Meter(self._store, config.label, self._begun.copy, judged)
        self._engine = make_engine(engine)
        elsewhere = getattr(self._engine, "elsewhere", None)
        note_engine(self._store, config, model, ours, known_split(config, self._engine).opened, elsewhere)
        self._meter.ready(self._engine.gauges)

    async def affordable(self) -> None:
        """Begins no block once the budget is spent: the driver sees the same counters, and ends the run."""
        budget = self._config.budget
        while budget != BudgetConfig() and spent(await asyncio.to_thread(used, self._store), budget):
            await asyncio.sleep(1.0)

    async def noted(self) -> None:
        """Before a block is handed on: what servers count for it must not be lost with this process."""
        if self._config.engine.kind == "server":
            await asyncio.to_thread(self._meter.note)

    async def losses(self) -> dict[str, int]:
        """How many engines died over each problem so far."""
        return await asyncio.to_thread(self._store.lost_engines)

    @contextlib.asynccontextmanager
    async def working(self, problem_id: str, losses: int) -> AsyncIterator[None]:
        """While the body works on a problem that `losses` engines died over. If this one does, its process ends here."""
        # Suspects go one after another, so that one that kills its engine takes no other to its last attempt.
        async with self._one_suspect if losses else contextlib.nullcontext():
            await self._room()
            self._begun.add(problem_id)
            try:
                yield
            except EngineDead as error:
                self._die(error)
            finally:
                self._begun.discard(problem_id)
                self._under_way -= 1

    def _die(self, error: EngineDead) -> NoReturn:
        """Only a process that dies is restarted by Ray, and its blocks retried; an exception would end the job."""
        say_fault("an engine died and is started again")
        try:
            self._store.note_lost_engine(self._begun)
        except (OSError, UserError) as refusal:
            say(f"the problems it worked on could not be noted: {refusal}")
        os._exit(1)

    async def _room(self) -> None:
        """Holds a new problem back while those under way fill the cache: their prefixes would be evicted for it."""
        async with self._door:
            while self._under_way and self._engine.gauges.kv_cache_use > FULL_CACHE:
                await asyncio.sleep(0.05)
            self._under_way += 1
            # One at a time: the gauge moves only once the last one's prompts have reached the engine.
            if self._engine.gauges.kv_cache_use > FULL_CACHE / 2:
                await asyncio.sleep(0.05)
