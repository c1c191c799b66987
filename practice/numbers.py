"""Emergency numbers change only when two people say so: one proposes, another approves.

The directory's file stays what it is; approved changes lie over it, each with both names.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select, update

from audit.database import Database
from practice.tables import number_changes
from protocol.directory import LIFETIME, Change, Directory, Way

MOST_LISTED = 500
LONGEST_REASON = 600


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of a resource's numbers. Times are aware UTC."""

    change_id: str
    resource: str
    before: tuple[Way, ...]
    after: tuple[Way, ...]
    reason: str
    proposed_by: str
    proposed_at: datetime
    answered_by: str | None
    answered_at: datetime | None
    approved: bool | None
    """None while it waits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The ways that somebody wants a resource to have, as they were written, and where they read them."""

    resource: str
    ways: tuple[dict[str, str], ...]
    reason: str


class NumberError(Exception):
    """The change can't be made like this; the message says why."""


class Numbers:
    """Proposals and their answers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.last: Directory | None = None
        """The directory as it was read last, for when the records are away."""

    async def propose(
        self, directory: Directory, resource: str, ways: Iterable[dict[str, str]], reason: str, by: str, now: datetime
    ) -> str:
        """Propose other numbers for a resource; the id of the proposal. Raises NumberError."""
        row = _row(directory, Wanted(resource, tuple(ways), reason), by, now)
        if row is None:
            raise NumberError("these are the numbers it has already; change one, or leave it")
        await self._database.write(lambda connection: connection.execute(insert(number_changes), row))
        return row["change_id"]

    async def propose_all(self, directory: Directory, wanted: Iterable[Wanted], by: str, now: datetime) -> int:
        """Propose what differs from the numbers in use, all or nothing; how many. Raises NumberError with the name."""
        rows: list[dict[str, Any]] = []
        for one in wanted:
            try:
                row = _row(directory, one, by, now)
            except NumberError as error:
                raise NumberError(f"{one.resource}: {error}") from None
            if row is not None:
                rows.append(row)
        if rows:
            await self._database.write(lambda connection: connection.execute(insert(number_changes), rows))
        return len(rows)

    async def answer(self, change_id: str, by: str, now: datetime, *, approve: bool) -> None:
        """Approve or turn down a proposal. Raises NumberError for one's own, and for one that was answered."""
        waiting = (number_changes.c.change_id == change_id) & number_changes.c.answered_by.is_(None)
        change = update(number_changes).where(waiting, number_changes.c.proposed_by != by)
        change = change.values(answered_by=by, answered_at=now, approved=approve)
        if await self._database.write(lambda connection: connection.execute(change).rowcount) != 1:
            raise NumberError("another person must answer this, once: it is your own or was answered already")

    async def waiting(self) -> tuple[Proposal, ...]:
        """Proposals that nobody has answered, oldest first."""
        return await self._listed(approved=None)

    async def approved(self) -> tuple[Proposal, ...]:
        """Proposals that count, in the order in which they were approved."""
        return await self._listed(approved=True)

    async def current(self, directory: Directory) -> Directory:
        """The directory with every approved change laid over it."""
        self.last = overlaid(directory, await self.approved())
        return self.last

    async def _listed(self, *, approved: bool | None) -> tuple[Proposal, ...]:
        return await self._database.read(lambda connection: changes(connection, approved=approved))


def changes(connection: Connection, *, approved: bool | None) -> tuple[Proposal, ...]:
    """Proposals that were approved, turned down, or (None) wait; in the order in which they were answered or made."""
    order = (number_changes.c.answered_at, number_changes.c.proposed_at, number_changes.c.change_id)
    query = select(number_changes).where(number_changes.c.approved.is_(approved)).order_by(*order)
    return tuple(_proposal(dict(row)) for row in connection.execute(query.limit(MOST_LISTED)).mappings())


def overlaid(directory: Directory, approved: Iterable[Proposal]) -> Directory:
    """The directory after these changes. One whose resource has other numbers by now changes nothing."""
    resources = dict(directory.resources)
    for one in approved:
        known = resources.get(one.resource)
        if known is None or known.ways != one.before or one.answered_by is None or one.answered_at is None:
            continue
        day = one.answered_at.date()
        record = Change(on=day, before=one.before, changed_by=one.proposed_by, approved_by=one.answered_by)
        fresh = {"ways": one.after, "change": record, "verified_at": day, "expires_at": day + LIFETIME}
        verified = f"{one.proposed_by} and {one.answered_by}: {one.reason}"[:LONGEST_REASON]
        resources[one.resource] = known.model_copy(update={**fresh, "verified_by": verified, "test_call": None})
    return directory.model_copy(update={"resources": resources})


def _row(directory: Directory, wanted: Wanted, by: str, now: datetime) -> dict[str, Any] | None:
    """The proposal as the table has it; None where nothing would change. Raises NumberError."""
    known = directory.resources.get(wanted.resource)
    if known is None:
        raise NumberError("there is no such resource; go back to the list")
    after = _ways(wanted.ways)
    if after == known.ways:
        return None
    if not wanted.reason.strip():
        raise NumberError("write where you read the new number")
    return {
        "change_id": secrets.token_hex(8),
        "resource": wanted.resource,
        "before": _written(known.ways),
        "after": _written(after),
        "reason": wanted.reason.strip()[:LONGEST_REASON],
        "proposed_by": by,
        "proposed_at": now,
    }


def _ways(written: Iterable[dict[str, str]]) -> tuple[Way, ...]:
    try:
        ways = tuple(Way.model_validate(one) for one in written)
    except ValidationError:
        raise NumberError("a number is 911, 988, five or six digits, or ten written as 800-555-0100") from None
    if not ways or len(ways) > 4:
        raise NumberError("a resource has one to four ways to get through")
    return ways


def _written(ways: Iterable[Way]) -> list[dict[str, Any]]:
    return [way.model_dump(mode="json") for way in ways]


def _proposal(row: dict[str, Any]) -> Proposal:
    for name in ("before", "after"):
        row[name] = tuple(Way.model_validate(one) for one in row[name])
    return Proposal(**row)
