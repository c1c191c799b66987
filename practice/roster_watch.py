"""Looks by itself for hours in which a page would reach nobody, and says each to people once.

It searches on a new day, and whenever the rota or a version that counts has changed. Pure search: `protocol.roster`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta

import structlog

from practice.roster_gaps import Found, RosterGaps
from practice.rotas import RotaSource
from protocol.local_time import show_time
from protocol.roster import gaps
from protocol.rota import Rota
from protocol.spec import ProtocolSpec
from protocol.words import plain, unquoted

log = structlog.get_logger()

AHEAD = timedelta(weeks=4)
"""How far it searches."""
SOON = timedelta(hours=24)
"""A gap that begins within these is told at any hour; a later one in the daytime."""
DAYTIME = range(8, 18)
"""Hours of the rota's zone."""
MOST_NAMED = 8
"""Gaps in one message."""

ReliedOn = Callable[[datetime, datetime], Awaitable[Sequence[ProtocolSpec]]]
"""The versions whose ladders count between two moments."""
Tell = Callable[[str, str], Awaitable[bool]]
"""Tells people a subject and a text; whether anybody was told."""


class RosterWatch:
    """One watch over the roster. All times are aware UTC."""

    def __init__(self, rota: RotaSource, relied_on: ReliedOn, found: RosterGaps, tell: Tell) -> None:
        self._rota = rota
        self._relied_on = relied_on
        self._found = found
        self._tell = tell
        self._searched: tuple[date, Rota, frozenset[str]] | None = None

    async def look(self, now: datetime) -> None:
        """Search where something changed or a day began, and tell what nobody was told. Raises SQLAlchemyError."""
        rota, specs = await self._rota.current(), await self._relied_on(now, now + AHEAD)
        zone = self._rota.zone
        today = (now.astimezone(zone).date(), rota, frozenset(one.content_hash for one in specs))
        if today != self._searched:
            found = await asyncio.to_thread(gaps, rota, specs, now, now + AHEAD)
            await self._found.keep(found, now + AHEAD, now, zone)
            self._searched = today
            log.info("the rota was held against the ladders", count=len(found))
        await self._say(now)

    async def _say(self, now: datetime) -> None:
        daytime = now.astimezone(self._rota.zone).hour in DAYTIME
        news = [one for one in await self._found.ahead(now) if one.told_at is None]
        due = [one for one in news if daytime or one.begins <= now + SOON]
        if due and await self._tell(*self._words(due)):
            await self._found.told([one.gap_id for one in due], now)

    def _words(self, due: Sequence[Found]) -> tuple[str, str]:
        subject = f"Nobody would answer: {len(due)} gap{'s' * (len(due) > 1)} in the rota"
        more = len(due) - MOST_NAMED
        lines = [self._line(one) for one in due[:MOST_NAMED]] + ([f"… and {more} more."] if more > 0 else [])
        ending = "All of them: the board, or `holdfast roster check`. Each is said once."
        return subject, "\n".join([*lines, "", ending, ""])

    def _line(self, one: Found) -> str:
        zone = self._rota.zone
        whom = f"{one.owner} as owner" if one.owner else plain(one.role)
        until = "" if one.goes_on else f" until {show_time(one.ends, zone)}"
        reason = f"{unquoted(one.why)}. {unquoted(one.remedy)}"
        return f"From {show_time(one.begins, zone)}{until} a page to {whom} reaches nobody: {reason}."
