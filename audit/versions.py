"""Under which versions of which protocols episodes were opened, and how many still run. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from audit.database import Database
from audit.tables import episodes, protocols


@dataclass(frozen=True, slots=True)
class Version:
    """A protocol's version as the records know it."""

    hash: str
    name: str
    version: str
    first_seen_at: datetime
    running: int
    """Open episodes under it, drills included: none of them changes when another version is published."""
    ended: int


async def running(database: Database) -> tuple[str, ...]:
    """The hashes of the protocols under which episodes are open."""
    query = select(episodes.c.protocol_hash).distinct().where(episodes.c.closed_at.is_(None))
    return tuple(await database.read(lambda connection: connection.scalars(query).all()))


async def versions(database: Database) -> tuple[Version, ...]:
    """Every version that an episode was ever opened under, by name, the latest first."""
    is_open = episodes.c.closed_at.is_(None)
    counted = select(
        episodes.c.protocol_hash,
        func.count().filter(is_open).label("running"),
        func.count().filter(~is_open).label("ended"),
    )
    used = counted.group_by(episodes.c.protocol_hash).subquery()
    columns = (protocols.c[name] for name in ("hash", "name", "version", "first_seen_at"))
    counts = (func.coalesce(used.c[name], 0).label(name) for name in ("running", "ended"))
    query = select(*columns, *counts).outerjoin(used, used.c.protocol_hash == protocols.c.hash)
    query = query.order_by(protocols.c.name, protocols.c.first_seen_at.desc(), protocols.c.hash)

    def work(connection: Connection) -> tuple[Version, ...]:
        return tuple(Version(**row) for row in connection.execute(query).mappings())

    return await database.read(work)
