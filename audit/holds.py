"""Legal holds: while one is placed on a client, nothing of that client may be destroyed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert, select

from audit.database import Database
from audit.tables import holds


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


async def _note(database: Database, client_ref: str, act: str, who: str, reason: str, now: datetime) -> None:
    values = {"hold_id": uuid4().hex, "at": now, "client_ref": client_ref, "act": act, "who": who, "reason": reason}
    await database.write(lambda connection: connection.execute(insert(holds), values))
