"""What engines behind URLs share: servers that passed their trial, connections to them, and counts of what they answered."""

from __future__ import annotations

from pipeline.config import EngineConfig
from pipeline.engine.gauges import Gauges
from pipeline.engine.server.http import Http
from pipeline.engine.server.pool import Pool
from pipeline.engine.server.start import Examines, examined, joining
from pipeline.engine.server.trial import Traits


class Remote:
    """See the module.

    Raises:
        UserError: settings and servers don't fit together.
        StartError: no server answers.
    """

    traits: Traits
    """What the servers have in common."""

    def __init__(self, config: EngineConfig, examiner: Examines, key: str | None) -> None:
        self.traits, places = examined(config.urls, examiner)
        self.gauges = Gauges()
        self._pool = Pool(places, joining(examiner, self.traits), config.wait_s, self.gauges)
        self._http = Http(key, config.timeout_s)

    @property
    def elsewhere(self) -> dict[str, str | None]:
        """What the servers run on, as they say."""
        return {"server": self.traits.fingerprint}

    def _count(self, prompt_tokens: int, written_tokens: int, draws: int) -> None:
        # As an engine here counts them: a prompt once for every draw.
        self.gauges.prompt_tokens += prompt_tokens * draws
        self.gauges.asked_tokens += prompt_tokens
        self.gauges.written_tokens += written_tokens

    async def close(self) -> None:
        await self._pool.close()
        await self._http.close()
