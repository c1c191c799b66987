"""How a change in the records becomes known to every open tab."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.owing import Owing

log = structlog.get_logger()

LOOK_SECONDS = 0.5


class Pulse:
    """Looks at the records for everybody at once and wakes the streams when something changed."""

    def __init__(self, owing: Owing) -> None:
        self._owing = owing
        self._beat = asyncio.Condition()
        self.number = 0
        self.streams = 0

    async def run(self) -> None:
        """Look until cancelled."""
        seen: tuple[int, int] | None = None
        while True:
            try:
                now = await self._owing.pulse() if self.streams else seen
                if now != seen:
                    seen = now
                    await self._wake()
            except SQLAlchemyError as error:
                log.warning("the records do not answer", error_type=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _wake(self) -> None:
        async with self._beat:
            self.number += 1
            self._beat.notify_all()

    async def after(self, number: int, seconds: float) -> int:
        """The number of the next change after this one, or the same one when there was none for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._beat:
                await self._beat.wait_for(lambda: self.number != number)
        return self.number
