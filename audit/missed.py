"""The list an auditor begins with: every episode of the records and how many deadlines it missed.

Counted in the trail itself, not in the projections. Times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from audit.database import Database
from audit.tables import episodes, trail

MISSED = "DeadlineMissed"
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Recorded:
    """An episode of the records."""

    episode_id: str
    client_ref: str
    protocol_hash: str
    owner: str
    risk: str
    peak_risk: str
    opened_at: datetime
    closed_at: datetime | None
    revision: int
    drill: bool
    missed: int
    """How many deadlines were missed so far."""
    first_missed: datetime | None


class Missed:
    """Reads the list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, find: str = "", *, only_missed: bool = False, page: int = 1, size: int = 50
    ) -> tuple[tuple[Recorded, ...], int]:
        """A page of episodes, counted from 1, the latest first; and how many there are.

        `find` is the beginning of an episode's id, or a client's reference or a therapist's id.
        """
        size = min(max(size, 1), MOST_ROWS)
        query = _listed(find, only_missed)
        count = select(func.count()).select_from(query.subquery())
        rows = query.order_by(episodes.c.opened_at.desc(), episodes.c.episode_id)
        rows = rows.limit(size).offset(size * (max(page, 1) - 1))

        def work(connection: Connection) -> tuple[tuple[Recorded, ...], int]:
            found = connection.execute(rows).mappings().all()
            return tuple(Recorded(**row) for row in found), connection.execute(count).scalar_one()

        return await self._database.read(work)


def _listed(find: str, only_missed: bool) -> Select[Any]:
    missed = select(
        trail.c.episode_id, func.count().label("missed"), func.min(trail.c.occurred_at).label("first_missed")
    )
    missed = missed.where(trail.c.kind == MISSED).group_by(trail.c.episode_id).subquery()
    names = ("episode_id", "client_ref", "protocol_hash", "owner", "risk", "peak_risk", "opened_at", "closed_at")
    query = select(
        *(episodes.c[name] for name in (*names, "revision", "drill")),
        func.coalesce(missed.c.missed, 0).label("missed"),
        missed.c.first_missed,
    ).outerjoin(missed, missed.c.episode_id == episodes.c.episode_id)
    if find:
        starts = episodes.c.episode_id.startswith(find, autoescape=True)
        query = query.where(or_(starts, episodes.c.client_ref == find, episodes.c.owner == find))
    return query.where(missed.c.missed > 0) if only_missed else query
