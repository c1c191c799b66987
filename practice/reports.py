"""Which episode a report of a client opens, so that two people who report at once open one.

The records show an episode a moment after it was opened. Until then the id under which it was begun stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, not_, select, update

from audit.database import Database
from audit.dialects import insert_or_skip
from audit.tables import episodes
from practice.tables import reports


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report goes."""

    episode_id: str
    """Open this one. Somebody else may be opening it as well: the engine takes the first."""
    there: tuple[str, ...] = ()
    """The client's open episodes, oldest first: go on there instead."""


class Reports:
    """Reports of the last day, one a client."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, client_ref: str, mine: str, now: datetime) -> Place:
        """Where a report of this client goes that would open the episode `mine`; the same again goes there again."""
        return await self._database.write(lambda connection: _place(connection, client_ref, mine, now))

    async def forget(self, before: datetime) -> None:
        """Drop what was begun before; the records have had it for long."""
        await self._database.write(
            lambda connection: connection.execute(delete(reports).where(reports.c.at < before)) and None
        )


def _place(connection: Connection, client_ref: str, mine: str, now: datetime) -> Place:
    of_client = (episodes.c.client_ref == client_ref) & episodes.c.closed_at.is_(None) & not_(episodes.c.drill)
    query = select(episodes.c.episode_id).where(of_client).order_by(episodes.c.opened_at)
    there = tuple(connection.scalars(query).all())
    if mine in there:
        return Place(mine)
    if there:
        return Place(mine, there)
    row = {"client_ref": client_ref, "episode_id": mine, "at": now}
    connection.execute(insert_or_skip(connection.dialect.name, reports), row)
    held = select(reports.c.episode_id).where(reports.c.client_ref == client_ref)
    begun = str(connection.scalar(held.with_for_update()))
    over = select(episodes.c.episode_id).where(episodes.c.episode_id == begun)
    if begun != mine and connection.execute(over).first() is not None:
        connection.execute(update(reports).where(reports.c.client_ref == client_ref).values(episode_id=mine, at=now))
        return Place(mine)
    return Place(begun)
