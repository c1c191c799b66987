"""Calls of other systems that were made before, so that one that is sent again changes nothing.

What was answered is kept, sealed, for a day: under a hash of token and key, with a hash of what was asked, and beside
it of whom the answer is, so that forgetting a client takes theirs along.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, literal, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from audit.database import Database
from audit.tables import episodes
from practice.sealing import Seal
from practice.tables import api_calls

KEPT_FOR = timedelta(days=1)
EPISODE = "episode/"
ABANDONED_AFTER = timedelta(minutes=1)
"""A call that was begun so long ago and never answered: its process is gone. The next one does it."""


NOBODY = "nobody"
"""Of whom an answer is that tells of no client."""


def of_client(client_ref: str) -> str:
    """Of whom an answer about a client is."""
    return f"client/{client_ref}"


def of_episode(episode_id: str) -> str:
    """Of whom an answer about an episode is."""
    return f"{EPISODE}{episode_id}"


@dataclass(frozen=True, slots=True)
class Before:
    """A call that was made before under the same key."""

    asked: str
    answer: dict[str, Any] | None
    """None while it is under way."""


class Calls:
    """Calls by token and key."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def begin(self, call: str, asked: str, now: datetime) -> Before | None:
        """Claim a call; the one before it under the same key, None when this is the first."""
        fresh = {"call_hash": call, "asked": asked, "begun_at": now, "sealed": None}
        try:
            row = await self._database.write(lambda connection: _claim(connection, fresh, now))
        except IntegrityError:  # another process was faster by a moment
            return Before(asked, None)
        if row is None:
            return None
        return Before(row[0], None if row[1] is None else self._seal.open(row[1], "api_call", call))

    async def end(self, call: str, answer: dict[str, Any], of_whom: str | None = None) -> None:
        """Keep what was answered; `of_whom` from `of_client`, `of_episode`, or NOBODY; None when it is not known."""
        sealed = self._seal.close(answer, "api_call", call)
        kept = update(api_calls).where(api_calls.c.call_hash == call).values(sealed=sealed, of_whom=of_whom)
        await self._database.write(lambda connection: connection.execute(kept))

    async def drop(self, call: str) -> None:
        """It came to nothing: the same key may bring a mended call."""
        gone = delete(api_calls).where(api_calls.c.call_hash == call)
        await self._database.write(lambda connection: connection.execute(gone))

    async def forget(self, before: datetime) -> None:
        """Drop calls that were begun before a moment."""
        gone = delete(api_calls).where(api_calls.c.begun_at < before)
        await self._database.write(lambda connection: connection.execute(gone))


def forget_answers_in(connection: Connection, client_ref: str) -> None:
    """Drop what was answered about a client. So goes what may be about them: of an episode that the lists don't know
    yet, or of nobody knows whom. A call that is under way stays; its answer says of whom it is."""
    others = select(literal(EPISODE) + episodes.c.episode_id).where(episodes.c.client_ref != client_ref)
    of_others = or_(
        api_calls.c.of_whom == NOBODY,
        and_(api_calls.c.of_whom.startswith("client/"), api_calls.c.of_whom != of_client(client_ref)),
        api_calls.c.of_whom.in_(others),
    )
    unsure = or_(api_calls.c.of_whom.is_(None), not_(of_others))
    connection.execute(delete(api_calls).where(api_calls.c.sealed.is_not(None), unsure))


def _claim(connection: Connection, fresh: dict[str, Any], now: datetime) -> tuple[str, bytes | None] | None:
    mine = api_calls.c.call_hash == fresh["call_hash"]
    row = connection.execute(select(api_calls).where(mine)).first()
    if row is not None and row.sealed is None and now - row.begun_at > ABANDONED_AFTER:
        connection.execute(delete(api_calls).where(mine))
        row = None
    if row is None:
        connection.execute(insert(api_calls), fresh)
        return None
    return row.asked, row.sealed
