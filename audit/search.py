"""Finding episodes: by client, therapist, protocol, breach and period; and filters that people keep for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, or_, select

from audit.database import Database
from audit.dialects import insert_or_update
from audit.queries import opened_rows
from audit.sealing import Keyring
from audit.tables import episodes, saved_searches, trail

MOST = 1_000
"""The longest answer."""
ANY = "any"

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Wanted(BaseModel):
    """Which episodes; a field that is left out lets every episode through."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    client_ref: Word | None = None
    therapist: Word | None = None
    """Owns the episode now, or wrote something in it."""
    protocol: Word | None = None
    version: Word | None = None
    breach: Word | None = None
    """A missed deadline: the obligation's name in the protocol, or `any`."""
    begins: AwareDatetime | None = None
    """Opened at this moment or later."""
    ends: AwareDatetime | None = None
    """Opened before this moment."""
    open: bool | None = None
    drill: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An episode that fits. Times are aware UTC."""

    episode_id: str
    client_ref: str
    protocol: str
    version: str
    owner: str
    risk: str
    opened_at: datetime
    closed_at: datetime | None
    missed: int
    """How many deadlines were missed in it."""


async def search(database: Database, ring: Keyring, wanted: Wanted, limit: int = 100) -> tuple[Found, ...]:
    """The episodes that fit, latest first. An episode whose key was destroyed is not found by the name of a breach."""
    missed = select(func.count()).where(trail.c.episode_id == episodes.c.episode_id, trail.c.kind == "DeadlineMissed")
    query = select(episodes, missed.scalar_subquery().label("missed")).where(*_conditions(wanted))
    query = query.order_by(episodes.c.opened_at.desc(), episodes.c.episode_id)

    def work(connection: Connection) -> Sequence[Row[Any]]:
        if wanted.breach in (None, ANY):
            return connection.execute(query.limit(min(limit, MOST))).all()
        rows = connection.execute(query).all()
        return [row for row in rows if wanted.breach in _missed(connection, ring, row.episode_id)][: min(limit, MOST)]

    return tuple(
        Found(
            *(row.episode_id, row.client_ref, row.protocol, row.protocol_version, row.owner, row.risk),
            *(row.opened_at, row.closed_at, row.missed),
        )
        for row in await database.read(work)
    )


async def save(database: Database, who: str, name: str, wanted: Wanted, now: datetime) -> None:
    """Keep a filter under a name, in the place of an older one of that person."""
    values = {"who": who, "name": name, "wanted": wanted.model_dump_json(exclude_none=True), "saved_at": now}

    def work(connection: Connection) -> None:
        upsert = insert_or_update(connection.dialect.name, saved_searches, newer="saved_at")
        connection.execute(upsert, values)

    await database.write(work)


async def saved(database: Database, who: str) -> dict[str, Wanted]:
    """The filters that a person keeps, by name."""
    query = select(saved_searches).where(saved_searches.c.who == who).order_by(saved_searches.c.name)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return {row.name: Wanted.model_validate_json(row.wanted) for row in rows}


async def forget(database: Database, who: str, name: str) -> bool:
    """Drop a filter; whether there was one."""
    statement = delete(saved_searches).where(saved_searches.c.who == who, saved_searches.c.name == name)
    return await database.write(lambda connection: connection.execute(statement).rowcount) == 1


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    here = trail.c.episode_id == episodes.c.episode_id
    for column, value in (
        (episodes.c.client_ref, wanted.client_ref),
        (episodes.c.protocol, wanted.protocol),
        (episodes.c.protocol_version, wanted.version),
        (episodes.c.drill, wanted.drill),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.therapist is not None:
        wrote = exists().where(and_(here, trail.c.actor == wanted.therapist))
        found.append(or_(episodes.c.owner == wanted.therapist, wrote))
    if wanted.breach is not None:
        found.append(exists().where(and_(here, trail.c.kind == "DeadlineMissed")))
    if wanted.begins is not None:
        found.append(episodes.c.opened_at >= wanted.begins)
    if wanted.ends is not None:
        found.append(episodes.c.opened_at < wanted.ends)
    if wanted.open is not None:
        found.append(episodes.c.closed_at.is_(None) if wanted.open else episodes.c.closed_at.is_not(None))
    return found


def _missed(connection: Connection, ring: Keyring, episode_id: str) -> set[str]:
    query = select(trail).where(trail.c.episode_id == episode_id, trail.c.kind == "DeadlineMissed")
    rows = opened_rows(connection, ring, query)
    return {row.payload["event"].get("obligation", "") for row in rows if row.payload is not None}
