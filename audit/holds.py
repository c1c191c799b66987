"""Legal holds: while one is placed on a client, nothing of that client may be destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from audit.database import Database
from audit.dialects import lock_episode
from audit.tables import holds

HELD = "a legal hold stands on this client"


class HeldError(Exception):
    """A hold stands: nothing of this client may be destroyed."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that stands."""

    client_ref: str
    at: datetime
    who: str
    reason: str


async def hold(database: Database, client_ref: str, who: str, reason: str, now: datetime) -> None:
    """Place a hold on a client."""
    await _note(database, client_ref, "placed", who, reason, now)


async def lift(database: Database, client_ref: str, who: str, reason: str, now: datetime) -> None:
    """Lift whatever holds were placed on a client."""
    await _note(database, client_ref, "lifted", who, reason, now)


async def standing(database: Database) -> dict[str, Hold]:
    """The holds that stand, by client: the latest word on each client is that one was placed."""
    query = select(holds).order_by(holds.c.at, holds.c.hold_id)
    found: dict[str, Hold] = {}
    for row in await database.read(lambda connection: connection.execute(query).all()):
        if row.act == "placed":
            found[row.client_ref] = Hold(row.client_ref, row.at, row.who, row.reason)
        else:
            found.pop(row.client_ref, None)
    return found


def refuse_held_in(connection: Connection, client_ref: str) -> None:
    """Raise HeldError where a hold stands; one that is placed from now on waits for the end of this transaction."""
    _lock(connection, client_ref)
    query = select(holds.c.act).where(holds.c.client_ref == client_ref)
    if connection.scalar(query.order_by(holds.c.at.desc(), holds.c.hold_id.desc()).limit(1)) == "placed":
        raise HeldError(HELD)


async def _note(database: Database, client_ref: str, act: str, who: str, reason: str, now: datetime) -> None:
    values = {"hold_id": uuid4().hex, "at": now, "client_ref": client_ref, "act": act, "who": who, "reason": reason}

    def work(connection: Connection) -> None:
        _lock(connection, client_ref)
        connection.execute(insert(holds), values)

    await database.write(work)


def _lock(connection: Connection, client_ref: str) -> None:
    lock_episode(connection, f"@hold/{client_ref}")
