"""How long records must be kept, and what may go.

| Record | Kept | Grade and source |
|---|---|---|
| of a client | 7 years from the end of care | B: record retention for LMFT, LCSW, LPCC since 2015 |
| of a minor | 7 years from the 18th birthday, where that is later | B: the same |
| a version of a protocol | 6 years from when it was made or last in effect | A: 45 CFR 164.316(b)(2)(i) |
| who looked and what was handed out | 6 years from its making | A: the same |

The access trail and the checkpoints only grow: nothing of them is due before its time, and nothing takes them away.

The records know an end of care only as the last entry of the last episode; therapy may have gone on without one. Where
the date of birth is not known, an age written down counts as if it had just been reached, and without an age the
client as born on the day of the first entry: kept too long rather than too short. Days are those of UTC, and a record
goes on the day after its last one, so that no time zone and no hour of the last entry makes the time shorter. Counsel
decides; this lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from audit.database import Database
from audit.holds import Hold, standing
from audit.publications import Publications
from audit.queries import opened_rows
from audit.sealing import Keyring
from audit.tables import client_keys, episodes, protocols, trail
from protocol.publishing import Record, left_effect, state_of

CLIENT_YEARS = 7
ADULT_AT = 18
POLICY_YEARS = 6
AGE = "age"
"""The fact in which protocols record an age in years."""

Birthday = Callable[[str], Awaitable[date | None]]
"""Asks for a client's date of birth by their reference; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The records of one client."""

    client_ref: str
    episodes: int
    last_entry: datetime
    until: date | None
    """The first day on which they may go; None while an episode is open."""
    why: str
    hold: Hold | None
    destroyed: bool
    """No usable key is left: there is nothing that could go."""

    def due(self, today: date) -> bool:
        """They may go now."""
        return not self.destroyed and self.hold is None and self.until is not None and self.until <= today


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of a protocol that is in the records, used or not."""

    protocol_hash: str
    name: str
    version: str
    until: date | None
    """The first day on which it may go; None while it is in effect for new episodes or an open one."""
    why: str


@dataclass(frozen=True, slots=True)
class _Client:
    client_ref: str
    episodes: tuple[str, ...]
    open: bool
    first: datetime
    last: datetime


async def kept(database: Database, ring: Keyring, born: Birthday, client_ref: str | None = None) -> tuple[Kept, ...]:
    """How long each client's records are kept, longest due first; or of one client."""
    holding, usable = await standing(database), await _usable(database)
    found = [
        await _kept(database, ring, born, one, holding.get(one.client_ref), one.client_ref in usable)
        for one in await _clients(database, client_ref)
    ]
    return tuple(sorted(found, key=lambda one: (one.until is None, one.until or date.max, one.client_ref)))


async def policies(database: Database, now: datetime) -> tuple[Policy, ...]:
    """How long each version of a protocol is kept, as of a moment. Raises PublicationError."""
    record = (await Publications(database).read()).record
    lasts = _lasts().subquery()
    is_open = func.count().filter(episodes.c.closed_at.is_(None)).label("open")
    used = select(episodes.c.protocol_hash, is_open, func.max(lasts.c.last).label("last"))
    used = used.join(lasts, lasts.c.episode_id == episodes.c.episode_id).group_by(episodes.c.protocol_hash)
    kept = select(protocols.c.hash, protocols.c.name, protocols.c.version, protocols.c.first_seen_at)
    kept = kept.order_by(protocols.c.name, protocols.c.version, protocols.c.hash)

    def work(connection: Connection) -> tuple[Policy, ...]:
        ran = {row.protocol_hash: row for row in connection.execute(used)}
        return tuple(_policy(record, row, ran.get(row.hash), now) for row in connection.execute(kept))

    return await database.read(work)


def _policy(record: Record, row: Any, ran: Any | None, now: datetime) -> Policy:
    name = (row.hash, row.name, row.version)
    if ran is not None and ran.open:
        return Policy(*name, None, "an open episode runs under it")
    state = state_of(record, row.hash, now)
    if state in ("in effect", "scheduled"):
        return Policy(*name, None, f"it is {state}")
    ended = left_effect(record, row.name, row.hash, now)
    moments = {"made": row.first_seen_at}  # six years from its creation, or from when it was last in effect
    if ended is not None:
        moments["last in effect for new episodes"] = ended
    if ran is not None:
        moments["last entry under it"] = ran.last
    latest = max(moments, key=lambda one: moments[one])
    why = f"{POLICY_YEARS} years from {moments[latest]:%Y-%m-%d}: {latest}"
    return Policy(*name, after(moments[latest].date(), POLICY_YEARS), why)


def after(day: date, years: int) -> date:
    """The first day on which something may go that is kept for so many years from a day."""
    return later(day, years) + timedelta(days=1)


def later(day: date, years: int) -> date:
    """So many years later; of 29 February the first of March, where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


async def _clients(database: Database, client_ref: str | None) -> list[_Client]:
    lasts = _lasts().subquery()
    query = select(
        episodes.c.client_ref, episodes.c.episode_id, episodes.c.closed_at, episodes.c.opened_at, lasts.c.last
    )
    query = query.join(lasts, lasts.c.episode_id == episodes.c.episode_id).order_by(episodes.c.episode_id)
    if client_ref is not None:
        query = query.where(episodes.c.client_ref == client_ref)
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in await database.read(lambda connection: connection.execute(query).all()):
        groups[row.client_ref].append(row)
    return [
        _Client(
            *(name, tuple(row.episode_id for row in rows), any(row.closed_at is None for row in rows)),
            *(min(row.opened_at for row in rows), max(row.last for row in rows)),
        )
        for name, rows in groups.items()
    ]


def _lasts() -> Any:
    return select(trail.c.episode_id, func.max(trail.c.recorded_at).label("last")).group_by(trail.c.episode_id)


async def _usable(database: Database) -> set[str]:
    query = select(client_keys.c.client_ref).where(client_keys.c.destroyed_at.is_(None))
    return set(await database.read(lambda connection: connection.scalars(query).all()))


async def _kept(
    database: Database, ring: Keyring, born: Birthday, one: _Client, hold: Hold | None, usable: bool
) -> Kept:
    until, why = None, "an episode is open"
    if not usable:
        why = "the key was destroyed"
    elif not one.open:
        until, why = after(one.last.date(), CLIENT_YEARS), f"{CLIENT_YEARS} years from the last entry"
        adult, known = await _adult_on(database, ring, born, one)
        if after(adult, CLIENT_YEARS) > until:
            until, why = after(adult, CLIENT_YEARS), f"{CLIENT_YEARS} years from the 18th birthday, {known}"
    return Kept(one.client_ref, len(one.episodes), one.last, until, why, hold, destroyed=not usable)


async def _adult_on(database: Database, ring: Keyring, born: Birthday, one: _Client) -> tuple[date, str]:
    """The 18th birthday at the latest, and how it is known."""
    birthday = await born(one.client_ref)
    if birthday is not None:
        return later(birthday, ADULT_AT), "by the date of birth"
    told = [later(day, max(ADULT_AT - age, 0)) for day, age in await _ages(database, ring, one.episodes)]
    if told:
        return max(told), "by the age that was written down"
    return later(one.first.date(), ADULT_AT), "no age is known"


async def _ages(database: Database, ring: Keyring, ids: Iterable[str]) -> list[tuple[date, int]]:
    """Each age that was written down, with its day. The latest that follows from one counts: one may be mistyped."""
    wanted = (trail.c.episode_id.in_([*ids])) & (trail.c.kind == "FactsRecorded")
    rows = await database.read(lambda connection: opened_rows(connection, ring, select(trail).where(wanted)))
    facts = [(row.occurred_at.date(), (row.payload or {}).get("event", {}).get("facts", {})) for row in rows]
    return [(day, told[AGE]) for day, told in facts if type(told.get(AGE)) is int]
