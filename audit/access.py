"""The access trail: every read and export of what is recorded of a client is itself a row that nobody can change.

`record` is the one function to call, before what was asked for is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select

from audit.database import Database
from audit.tables import accesses, episodes
from protocol.canonical import canonical

What = Literal["read", "replayed", "searched", "verified", "exported", "destroyed", "held", "released", "administered"]
WHATS: tuple[What, ...] = get_args(What)

MOST = 10_000
"""The longest answer of `looked`."""


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody looked at something. Empty `episode_id`: at more than one; empty `client_ref`: at no client's data."""

    at: datetime
    """Aware UTC."""
    who: str
    role: str
    what: What
    purpose: str = ""
    episode_id: str = ""
    client_ref: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More about it, as JSON: the recipient of an export, its hash, what was withheld. Never what was read."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which looks; a field that is left out lets every look through. Times are aware UTC."""

    client_ref: str | None = None
    episode_id: str | None = None
    who: str | None = None
    what: What | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    """Looked before this moment."""


async def record(database: Database, *looks: Access) -> None:
    """Write down who looked at what. Whoever can't write it down may not show it: let the error through.

    `client_ref` may be left out where an episode is named: it is looked up.
    """
    await record_rows(database, [*map(as_row, looks)])


async def record_rows(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same with rows of `as_row`; those that are there already are left as they are."""
    if rows:
        await database.write(lambda connection: _write(connection, rows))


def as_row(one: Access) -> dict[str, Any]:
    """A look as the table has it, under an id of its own."""
    return {
        "access_id": uuid4().hex,
        "at": one.at,
        "who": one.who,
        "role": one.role,
        "what": one.what,
        "episode_id": one.episode_id,
        "client_ref": one.client_ref,
        "purpose": one.purpose,
        "detail": canonical(dict(one.detail)).decode(),
    }


def record_in(connection: Connection, *looks: Access) -> None:
    """Write down looks within a transaction: together with what they tell of, or not at all."""
    _write(connection, [*map(as_row, looks)])


def _write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    ids = [row["access_id"] for row in rows]
    there = set(connection.scalars(select(accesses.c.access_id).where(accesses.c.access_id.in_(ids))))
    wanted = {row["episode_id"] for row in rows if row["episode_id"] and not row["client_ref"]}
    query = select(episodes.c.episode_id, episodes.c.client_ref).where(episodes.c.episode_id.in_(wanted))
    clients = {row.episode_id: row.client_ref for row in connection.execute(query)} if wanted else {}
    fresh = [
        {**row, "client_ref": row["client_ref"] or clients.get(row["episode_id"], "")}
        for row in rows
        if row["access_id"] not in there
    ]
    if fresh:
        connection.execute(insert(accesses), fresh)


async def looked(database: Database, sought: Sought, limit: int = MOST, skip: int = 0) -> tuple[Access, ...]:
    """Who looked, latest first; from the one after `skip` on."""
    query = select(accesses).where(*_conditions(sought)).order_by(accesses.c.at.desc(), accesses.c.access_id)
    query = query.limit(min(limit, MOST)).offset(skip)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return tuple(map(_access, rows))


async def count(database: Database, sought: Sought) -> int:
    """How many looks there are."""
    query = select(func.count()).select_from(accesses).where(*_conditions(sought))
    return await database.read(lambda connection: connection.scalar(query) or 0)


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (accesses.c.episode_id, sought.episode_id),
        (accesses.c.who, sought.who),
        (accesses.c.what, sought.what),
    ):
        if value is not None:
            found.append(column == value)
    if sought.client_ref is not None:
        # Who looked before the lists knew the episode is found by its episode.
        theirs = select(episodes.c.episode_id).where(episodes.c.client_ref == sought.client_ref)
        unnamed = and_(accesses.c.client_ref == "", accesses.c.episode_id.in_(theirs))
        found.append(or_(accesses.c.client_ref == sought.client_ref, unnamed))
    if sought.begins is not None:
        found.append(accesses.c.at >= sought.begins)
    if sought.ends is not None:
        found.append(accesses.c.at < sought.ends)
    return found


def _access(row: Row[Any]) -> Access:
    return Access(
        *(row.at, row.who, row.role, row.what, row.purpose, row.episode_id, row.client_ref),
        json.loads(row.detail),
    )
