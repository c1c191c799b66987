"""Hours in which a page would reach nobody, as they were last found, and of which of them people were told.

Times are aware UTC.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select, update

from audit.database import Database
from practice.tables import roster_gaps
from protocol.roster import Gap

MOST_KEPT = 500
"""Gaps; a rota that leaves more than that needs no list."""


@dataclass(frozen=True, slots=True)
class Found:
    """A gap as it is kept."""

    gap_id: str
    role: str
    owner: str
    """The rung pages who owns the episode: nobody answers for this person. Empty for a role."""
    begins: datetime
    ends: datetime
    why: str
    remedy: str
    rungs: tuple[str, ...]
    """`protocol: ladder, rung 2`, counted from 1."""
    searched_until: datetime
    found_at: datetime
    told_at: datetime | None = None

    @property
    def goes_on(self) -> bool:
        """The search ended before it did."""
        return self.ends >= self.searched_until


class RosterGaps:
    """Keeps the gaps of the latest search."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ahead(self, now: datetime) -> tuple[Found, ...]:
        """Gaps that are not over, the first one first."""
        return await self._database.read(lambda connection: _ahead(connection, now))

    async def keep(self, gaps: Sequence[Gap], until: datetime, now: datetime, zone: ZoneInfo) -> None:
        """Keep what a search from now on found, instead of what an earlier one did.

        A gap of which people were told is not one of which they have to be told again.
        """

        def work(connection: Connection) -> None:
            known = _ahead(connection, now)
            found = [_kept(gap, until, now, told_before(gap, known, zone)) for gap in gaps[:MOST_KEPT]]
            connection.execute(delete(roster_gaps))
            if found:
                connection.execute(insert(roster_gaps), [_row(one) for one in found])

        await self._database.write(work)

    async def told(self, gap_ids: Sequence[str], now: datetime) -> None:
        """People were told of these."""
        change = update(roster_gaps).where(roster_gaps.c.gap_id.in_(gap_ids)).values(told_at=now)
        await self._database.write(lambda connection: connection.execute(change))


def told_before(gap: Gap, known: Sequence[Found], zone: ZoneInfo) -> datetime | None:
    """When people were told of all of a gap; None where some of it is news.

    Told was also who heard of a gap that went on where the search ended; and who heard of one at the same hours for
    the same reason, when the search has only now come as far as this one: a hole that comes back each night is
    said once, and not anew each day. What arises within the time that was searched before is always news.
    """
    alike = [one for one in known if (one.role, one.owner) == (gap.role, gap.owner) and one.told_at is not None]
    reached, told = gap.begins, None
    for one in sorted(alike, key=lambda one: one.begins):
        if one.begins <= reached < one.ends or (one.goes_on and one.begins <= reached):
            reached = gap.ends if one.goes_on else one.ends
            told = one.told_at
        if reached >= gap.ends:
            return told
    for one in alike:
        if gap.begins >= one.searched_until and (one.why, _hours(one, zone)) == (gap.why, _hours(gap, zone)):
            return one.told_at
    return None


def _hours(gap: Gap | Found, zone: ZoneInfo) -> tuple[time, time]:
    begins, ends = gap.begins.astimezone(zone), gap.ends.astimezone(zone)
    return begins.time(), ends.time()


def _ahead(connection: Connection, now: datetime) -> tuple[Found, ...]:
    order = (roster_gaps.c.begins, roster_gaps.c.role, roster_gaps.c.owner, roster_gaps.c.gap_id)
    rows = connection.execute(select(roster_gaps).where(roster_gaps.c.ends > now).order_by(*order)).mappings()
    return tuple(replace(Found(**row), rungs=tuple(row["rungs"])) for row in rows)


def _kept(gap: Gap, until: datetime, now: datetime, told_at: datetime | None) -> Found:
    about = (gap.role, gap.owner, gap.begins, gap.ends, gap.why, gap.remedy, gap.rungs)
    return Found(secrets.token_hex(8), *about, until, now, told_at)


def _row(found: Found) -> dict[str, object]:
    return {one.name: getattr(found, one.name) for one in fields(found)}
