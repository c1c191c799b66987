"""The access trail: every read and export of what is recorded of a client is itself a row that nobody can change.

`record` is the one function to call, before what was asked for is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import insert, select

from audit.database import Database
from audit.tables import accesses, episodes
from protocol.canonical import canonical

What = Literal["read", "replayed", "searched", "exported", "destroyed", "held", "released"]

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


async def record(database: Database, *looks: Access) -> None:
    """Write down who looked at what. Whoever can't write it down may not show it: let the error through.

    `client_ref` may be left out where an episode is named: it is looked up.
    """

    def work(connection: Any) -> None:
        wanted = {one.episode_id for one in looks if one.episode_id and not one.client_ref}
        query = select(episodes.c.episode_id, episodes.c.client_ref).where(episodes.c.episode_id.in_(wanted))
        clients = {row.episode_id: row.client_ref for row in connection.execute(query)} if wanted else {}
        connection.execute(insert(accesses), [_values(one, clients) for one in looks])

    if looks:
        await database.write(work)


async def looked(
    database: Database,
    client_ref: str | None = None,
    episode_id: str | None = None,
    who: str | None = None,
    limit: int = MOST,
) -> tuple[Access, ...]:
    """Who looked, latest first: at a client, at an episode, or one person at whatever."""
    query = select(accesses)
    for column, value in (
        (accesses.c.client_ref, client_ref),
        (accesses.c.episode_id, episode_id),
        (accesses.c.who, who),
    ):
        if value is not None:
            query = query.where(column == value)
    query = query.order_by(accesses.c.at.desc(), accesses.c.access_id).limit(min(limit, MOST))
    rows = await database.read(lambda connection: connection.execute(query).all())
    return tuple(
        Access(
            *(row.at, row.who, row.role, row.what, row.purpose, row.episode_id, row.client_ref),
            json.loads(row.detail),
        )
        for row in rows
    )


def _values(one: Access, clients: Mapping[str, str]) -> dict[str, Any]:
    return {
        "access_id": uuid4().hex,
        "at": one.at,
        "who": one.who,
        "role": one.role,
        "what": one.what,
        "episode_id": one.episode_id,
        "client_ref": one.client_ref or clients.get(one.episode_id, ""),
        "purpose": one.purpose,
        "detail": canonical(dict(one.detail)).decode(),
    }
