"""What certain people owe, and what pages reached them: the questions of a person's own list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, not_, or_, select

from audit.database import Database
from audit.tables import episodes, obligations, pages
from protocol.spec import RANK

MOST = 500
RECENT = timedelta(days=7)
"""No ladder keeps silent for so long: what was paged before and is still owed was paged again since."""


@dataclass(frozen=True, slots=True)
class Due:
    """An open obligation with what a list shows of its episode. Times are aware UTC."""

    episode_id: str
    obligation_id: str
    client_ref: str
    protocol_hash: str
    stage: str
    risk: str
    drill: bool
    episode_owner: str
    title: str
    owner_role: str
    due_at: datetime
    missed: bool
    rung: int
    next_page_at: datetime | None
    lease_until: datetime | None


_COLUMNS = (
    obligations.c.episode_id, obligations.c.obligation_id, episodes.c.client_ref, episodes.c.protocol_hash,
    episodes.c.stage, episodes.c.risk, episodes.c.drill, episodes.c.owner.label("episode_owner"),
    obligations.c.title, obligations.c.owner_role, obligations.c.due_at, obligations.c.missed, obligations.c.rung,
    obligations.c.next_page_at, obligations.c.lease_until,
)  # fmt: skip


class Owing:
    """Reads the projections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, people: Sequence[str], roles: Sequence[str], limit: int = MOST) -> tuple[Due, ...]:
        """What these people owe themselves, or whoever has one of these roles; by due time."""
        by_role = and_(obligations.c.owner == "", obligations.c.owner_role.in_(roles))
        theirs = or_(obligations.c.owner.in_(people), by_role)
        query = select(*_COLUMNS).join(episodes, episodes.c.episode_id == obligations.c.episode_id).where(theirs)
        query = query.order_by(obligations.c.due_at, obligations.c.episode_id, obligations.c.obligation_id)
        found = await self._database.read(lambda connection: connection.execute(query.limit(min(limit, MOST))).all())
        return tuple(Due(*row) for row in found)

    async def paged(self, person: str, now: datetime, limit: int = MOST) -> tuple[Due, ...]:
        """What is owed by others, whose latest page reached this person, and nobody is on it; by due time."""
        same = and_(
            pages.c.episode_id == obligations.c.episode_id, pages.c.obligation_id == obligations.c.obligation_id
        )
        latest = and_(same, pages.c.rung == obligations.c.rung, pages.c.reported_at.is_not(None))
        unanswered = or_(obligations.c.lease_until.is_(None), obligations.c.lease_until <= now)
        query = select(*_COLUMNS, pages.c.recipients).select_from(
            obligations.join(episodes, episodes.c.episode_id == obligations.c.episode_id).join(pages, latest)
        )
        recent = pages.c.requested_at >= now - RECENT  # by the index: few of the pages ever sent
        query = (
            query.where(recent, unanswered, obligations.c.owner != person)
            .order_by(obligations.c.due_at)
            .limit(4 * MOST)
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        mine = {(row[0], row[1]): Due(*row[:-1]) for row in found if person in row[-1]}
        return tuple(mine.values())[:limit]

    async def pulse(self) -> tuple[int, int]:
        """Two numbers that change whenever an open episode does: how cheaply a change is noticed."""
        still_open = episodes.c.closed_at.is_(None)
        query = select(func.count(), func.coalesce(func.sum(episodes.c.revision), 0)).where(still_open)
        row = await self._database.read(lambda connection: connection.execute(query).one())
        return int(row[0]), int(row[1])

    async def revision(self, episode_id: str) -> int:
        """The revision of an episode in the records; 0 for one that they do not have."""
        query = select(episodes.c.revision).where(episodes.c.episode_id == episode_id)
        return int(await self._database.read(lambda connection: connection.scalar(query)) or 0)

    async def risks_of(self, client_refs: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
        """The risk of each open episode that is no exercise, highest first, by client; of these clients or of all."""
        query = select(episodes.c.client_ref, episodes.c.risk).where(
            episodes.c.closed_at.is_(None), not_(episodes.c.drill)
        )
        if client_refs is not None:
            query = query.where(episodes.c.client_ref.in_(sorted(set(client_refs))))
        found: dict[str, list[str]] = {}
        for client_ref, risk in await self._database.read(lambda connection: connection.execute(query).all()):
            found.setdefault(client_ref, []).append(risk)
        return {ref: tuple(sorted(risks, key=lambda risk: -RANK[risk])) for ref, risks in found.items()}

    async def open_of_client(self, client_ref: str) -> tuple[str, ...]:
        """The ids of a client's open episodes that are no exercise, oldest first."""
        query = select(episodes.c.episode_id).where(
            episodes.c.client_ref == client_ref, episodes.c.closed_at.is_(None), not_(episodes.c.drill)
        )
        query = query.order_by(episodes.c.opened_at)
        return tuple(await self._database.read(lambda connection: connection.scalars(query).all()))
