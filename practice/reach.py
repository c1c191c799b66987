"""Whose clients are whose, and who opened somebody else's in an emergency, with what reason."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Delete, delete, insert, select, update

from audit.access import Access, record_in
from audit.database import Database
from practice.accounts import Role
from practice.sealing import Seal
from practice.tables import accounts, caseloads, clients, emergency_access

LASTS = timedelta(hours=8)
"""How long an emergency opening lasts (program policy: needs sign-off)."""
MOST_LISTED = 500
CARRIERS: frozenset[Role] = frozenset({"therapist", "on_call", "supervisor"})
"""Roles that may have clients of their own."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Somebody opened a client who is not theirs. Times are aware UTC."""

    access_id: str
    account_id: str
    client_ref: str
    reason: str
    at: datetime
    until: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None


class ReachError(Exception):
    """A caseload can't be changed like this; the message says why."""


class Reach:
    """Caseloads and emergency openings."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def assign(self, client_ref: str, account_id: str, now: datetime, by: Access | None = None) -> None:
        """Put a client on somebody's caseload; being there already changes nothing. Raises ReachError.

        `by` says who changes it; that is written into the access trail with the change, or neither is.
        """

        def work(connection: Connection) -> None:
            _assign(connection, client_ref, account_id, now)
            _told(connection, by, client_ref, on=account_id)

        await self._database.write(work)

    async def transfer(
        self, client_ref: str, leaving: str, taking: str, now: datetime, by: Access | None = None
    ) -> None:
        """Hand a client from one caseload to another: both or neither. Raises ReachError."""

        def work(connection: Connection) -> None:
            _told(connection, by, client_ref, off=leaving, on=taking)
            _assign(connection, client_ref, taking, now)
            if leaving != taking and connection.execute(_release(client_ref, leaving)).rowcount == 0:
                raise ReachError(f"the client is not on the caseload of {leaving}")

        await self._database.write(work)

    async def release(self, client_ref: str, account_id: str, by: Access | None = None) -> None:
        """Take a client off somebody's caseload."""

        def work(connection: Connection) -> None:
            connection.execute(_release(client_ref, account_id))
            _told(connection, by, client_ref, off=account_id)

        await self._database.write(work)

    async def carried_by(self, accounts: Iterable[str], now: datetime) -> frozenset[str]:
        """The clients on these people's caseloads, and those whom one of them has open in an emergency."""
        who = sorted(set(accounts))
        own = select(caseloads.c.client_ref).where(caseloads.c.account_id.in_(who))
        broke = select(emergency_access.c.client_ref).where(
            emergency_access.c.account_id.in_(who), emergency_access.c.until > now
        )
        return await self._database.read(
            lambda connection: frozenset((*connection.scalars(own).all(), *connection.scalars(broke).all()))
        )

    async def keepers(self, client_ref: str, now: datetime) -> tuple[frozenset[str], frozenset[str]]:
        """Whose caseload a client is on, and who has them open in an emergency."""
        own = select(caseloads.c.account_id).where(caseloads.c.client_ref == client_ref)
        broke = select(emergency_access.c.account_id).where(
            emergency_access.c.client_ref == client_ref, emergency_access.c.until > now
        )
        return await self._database.read(
            lambda connection: (
                frozenset(connection.scalars(own).all()),
                frozenset(connection.scalars(broke).all()),
            )
        )

    async def break_glass(self, account_id: str, client_ref: str, reason: str, now: datetime) -> str:
        """Open a client who is not theirs, for a while; its id. It stays listed until somebody reviews it."""
        access_id = secrets.token_hex(12)
        row = {
            "access_id": access_id,
            "account_id": account_id,
            "client_ref": client_ref,
            "reason": self._seal.close({"reason": reason}, "emergency_access", access_id),
            "at": now,
            "until": now + LASTS,
        }
        await self._database.write(lambda connection: connection.execute(insert(emergency_access), row))
        return access_id

    async def openings(self, *, unreviewed: bool = True) -> tuple[Opening, ...]:
        """Emergency openings, latest first; those that wait for a review, or all."""
        query = select(emergency_access).order_by(emergency_access.c.at.desc()).limit(MOST_LISTED)
        if unreviewed:
            query = query.where(emergency_access.c.reviewed_at.is_(None))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(self._opening(row) for row in found)

    async def review(self, access_id: str, account_id: str, now: datetime) -> bool:
        """Note that somebody other than who opened it has looked; False when that may not be."""
        change = update(emergency_access).where(
            emergency_access.c.access_id == access_id,
            emergency_access.c.account_id != account_id,
            emergency_access.c.reviewed_at.is_(None),
        )
        change = change.values(reviewed_by=account_id, reviewed_at=now)
        return await self._database.write(lambda connection: connection.execute(change).rowcount == 1)

    def _opening(self, row: Any) -> Opening:
        reason = self._seal.open(row.reason, "emergency_access", row.access_id)["reason"]
        return Opening(
            *(row.access_id, row.account_id, row.client_ref, reason, row.at, row.until),
            *(row.reviewed_by, row.reviewed_at),
        )


def _assign(connection: Connection, client_ref: str, account_id: str, now: datetime) -> None:
    held = connection.execute(
        select(accounts.c.roles).where(accounts.c.account_id == account_id, accounts.c.disabled_at.is_(None))
    ).first()
    if held is None or not CARRIERS & set(held.roles):
        raise ReachError(f"{account_id[:48]} has no account that may carry clients: choose a therapist")
    if connection.execute(select(clients.c.revision).where(clients.c.client_ref == client_ref)).first() is None:
        raise ReachError("there is no such client")
    mine = (caseloads.c.client_ref == client_ref) & (caseloads.c.account_id == account_id)
    if connection.execute(select(caseloads).where(mine)).first() is None:
        row = {"client_ref": client_ref, "account_id": account_id, "since": now}
        connection.execute(insert(caseloads), row)


def _told(connection: Connection, by: Access | None, client_ref: str, **who: str) -> None:
    if by is not None:
        look = replace(by, what="administered", purpose="caseload", client_ref=client_ref, detail={**by.detail, **who})
        record_in(connection, look)


def _release(client_ref: str, account_id: str) -> Delete:
    return delete(caseloads).where(caseloads.c.client_ref == client_ref, caseloads.c.account_id == account_id)
