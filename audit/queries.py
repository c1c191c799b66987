"""Reading the records: lists from the projections, histories from the trail. Everything comes as frozen values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    RowMapping,
    Select,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
)

from audit.database import Database
from audit.keys import wrapped_keys
from audit.sealing import ClientKey, Keyring, Place
from audit.tables import episodes, obligations, pages, protocols, trail
from protocol.canonical import rfc3339
from protocol.spec import LEVELS
from protocol.summary import EpisodeSummary, ObligationSummary, PageSummary
from protocol.trail import TrailRow

MOST = 1_000
"""The longest list that one query returns."""

_OBLIGATION = [obligations.c[field.name] for field in fields(ObligationSummary)]
_PAGE = [pages.c[field.name] for field in fields(PageSummary)]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which episodes to list; None means whichever."""

    open: bool | None = None
    owner: str | None = None
    client_ref: str | None = None
    protocol: str | None = None
    version: str | None = None
    """A version number, or the beginning of a content hash."""
    risk_at_least: str | None = None
    overdue_at: datetime | None = None
    """Only those that owe something that was due by then."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An open obligation with the episode it belongs to."""

    episode_id: str
    risk: str
    stage: str
    obligation: ObligationSummary


@dataclass(frozen=True, slots=True)
class StoredProtocol:
    """A protocol as it was when an episode was opened under it."""

    hash: str
    name: str
    version: str
    document: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is going on."""

    open_episodes: int
    closed_episodes: int
    open_obligations: int
    overdue_obligations: int
    unreported_pages: int


@dataclass(frozen=True, slots=True)
class Unattended:
    """Open obligations that wait for something: for the engine, or for a page of theirs to reach somebody."""

    count: int
    since: datetime
    """Since when the first of them waits; the moment asked for when there is none."""


class Queries:
    """The reading side of the records."""

    def __init__(self, database: Database, ring: Keyring) -> None:
        self._database = database
        self._ring = ring

    async def list_episodes(self, which: Filter, limit: int = 100) -> tuple[EpisodeSummary, ...]:
        """Episodes by next deadline, those without one last. Raises ValueError for an unknown risk level."""
        order = (episodes.c.next_deadline.is_(None), episodes.c.next_deadline, episodes.c.episode_id)
        query = select(episodes).where(*_conditions(which)).order_by(*order).limit(min(limit, MOST))
        return await self._database.read(lambda connection: _episodes(connection, query))

    async def get_episode(self, episode_id: str) -> EpisodeSummary | None:
        """One episode, None when the records do not have it (yet)."""
        query = select(episodes).where(episodes.c.episode_id == episode_id)
        found = await self._database.read(lambda connection: _episodes(connection, query))
        return found[0] if found else None

    async def open_obligations(
        self, owner: str | None = None, due_by: datetime | None = None, limit: int = 100
    ) -> tuple[Owed, ...]:
        """What is owed, most urgent first; of one person, or due by a moment."""
        query = select(episodes.c.episode_id, episodes.c.risk, episodes.c.stage, *_OBLIGATION)
        query = query.join(obligations, obligations.c.episode_id == episodes.c.episode_id)
        if owner is not None:
            query = query.where(obligations.c.owner == owner)
        if due_by is not None:
            query = query.where(obligations.c.due_at <= due_by)
        order = (obligations.c.due_at, obligations.c.episode_id, obligations.c.obligation_id)
        rows = await self._mappings(query.order_by(*order).limit(min(limit, MOST)))
        return tuple(Owed(row["episode_id"], row["risk"], row["stage"], _obligation(row)) for row in rows)

    async def pages(self, episode_id: str | None = None, limit: int = 100) -> tuple[PageSummary, ...]:
        """Pages, latest first; of one episode or of all."""
        query = select(*_PAGE)
        if episode_id is not None:
            query = query.where(pages.c.episode_id == episode_id)
        order = (pages.c.requested_at.desc(), pages.c.episode_id, pages.c.page_id)
        rows = await self._mappings(query.order_by(*order).limit(min(limit, MOST)))
        return tuple(_page(row) for row in rows)

    async def trail_rows(self, episode_id: str, after: int = 0, limit: int = MOST) -> tuple[TrailRow, ...]:
        """The opened trail of an episode, from the row after `after`. Payloads of a destroyed key are None.

        Raises SealingError when a payload was tampered with; `audit.verify` says where.
        """
        query = select(trail).where(trail.c.episode_id == episode_id, trail.c.sequence > after)
        query = query.order_by(trail.c.sequence).limit(limit)
        return await self._database.read(lambda connection: opened_rows(connection, self._ring, query))

    async def get_protocol(self, content_hash: str) -> StoredProtocol | None:
        """The protocol with this hash, None when no episode was ever opened under it."""
        rows = await self._mappings(select(protocols).where(protocols.c.hash == content_hash))
        return StoredProtocol(**rows[0]) if rows else None

    async def unattended(self, before: datetime, aside: Collection[str] = ()) -> Unattended:
        """What was due, or should have been paged, before a moment and still waits for the engine.

        Episodes of `aside` are left out: that they are stopped is told elsewhere.
        """
        due = _passed(before)
        first = case((due, obligations.c.due_at), else_=obligations.c.next_page_at)
        query = select(func.count(), func.min(first)).where(unattended(before))
        if aside:
            query = query.where(obligations.c.episode_id.not_in(sorted(aside)))
        count, since = await self._database.read(lambda connection: connection.execute(query).one())
        return Unattended(count, since or before)

    async def unheard(self, before: datetime) -> Unattended:
        """Open obligations whose pages have reached nobody since a moment before this one, and that nobody took on."""
        taken = pages.alias()
        heard = select(func.max(taken.c.reported_at)).where(_about(taken), taken.c.delivered).scalar_subquery()
        lost = select(func.min(pages.c.reported_at)).where(
            _about(pages), not_(pages.c.delivered), or_(heard.is_(None), pages.c.reported_at > heard)
        )
        since = select(lost.scalar_subquery().label("at")).where(obligations.c.lease_until.is_(None)).subquery()
        query = select(func.count(), func.min(since.c.at)).where(since.c.at < before)
        count, first = await self._database.read(lambda connection: connection.execute(query).one())
        return Unattended(count, first or before)

    async def counts(self, now: datetime) -> Counts:
        """Totals at a moment."""
        overdue = func.count().filter(or_(obligations.c.missed, obligations.c.due_at <= now))
        unreported = select(func.count()).select_from(pages).where(pages.c.reported_at.is_(None))

        def work(connection: Connection) -> Counts:
            total, closed = connection.execute(select(func.count(), func.count(episodes.c.closed_at))).one()
            owed, late = connection.execute(select(func.count(), overdue).select_from(obligations)).one()
            return Counts(total - closed, closed, owed, late, connection.execute(unreported).scalar_one())

        return await self._database.read(work)

    async def _mappings(self, query: Select[Any]) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(query).mappings().all())


def unattended(before: datetime) -> ColumnElement[bool]:
    """An open obligation that was due, or should have been paged, before a moment and still waits for the engine."""
    return or_(_passed(before), obligations.c.next_page_at < before)


def _passed(before: datetime) -> ColumnElement[bool]:
    return and_(not_(obligations.c.missed), obligations.c.due_at < before)


def _about(page: FromClause) -> ColumnElement[bool]:
    """The pages of an open obligation."""
    same = page.c.obligation_id == obligations.c.obligation_id
    return and_(page.c.episode_id == obligations.c.episode_id, same)


def opened_rows(connection: Connection, ring: Keyring, query: Select[Any]) -> tuple[TrailRow, ...]:
    """The opened rows of a query over the trail. Payloads of a destroyed key are None. Raises SealingError."""
    rows = connection.execute(query).all()
    wrapped = wrapped_keys(connection, {row.key_id for row in rows})
    keys = {name: None if key.destroyed else key.unwrap(ring) for name, key in wrapped.items()}
    return tuple(_opened(row, keys[row.key_id]) for row in rows)


def _conditions(which: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.open is not None:
        found.append(episodes.c.closed_at.is_(None) if which.open else episodes.c.closed_at.is_not(None))
    if which.owner is not None:
        found.append(episodes.c.owner == which.owner)
    if which.client_ref is not None:
        found.append(episodes.c.client_ref == which.client_ref)
    if which.protocol is not None:
        found.append(episodes.c.protocol == which.protocol)
    if which.version is not None:
        by_hash = episodes.c.protocol_hash.startswith(which.version, autoescape=True)
        found.append(or_(episodes.c.protocol_version == which.version, by_hash))
    if which.risk_at_least is not None:
        found.append(episodes.c.risk.in_(_levels_from(which.risk_at_least)))
    if which.overdue_at is not None:
        due = or_(obligations.c.missed, obligations.c.due_at <= which.overdue_at)
        found.append(exists().where(and_(obligations.c.episode_id == episodes.c.episode_id, due)))
    return found


def _levels_from(level: str) -> Sequence[str]:
    for place, known in enumerate(LEVELS):
        if known == level:
            return LEVELS[place:]
    raise ValueError(f"there is no risk level {level!r}; the levels are {', '.join(LEVELS)}")


def _episodes(connection: Connection, query: Select[Any]) -> tuple[EpisodeSummary, ...]:
    found = connection.execute(query).mappings().all()
    ids = [row["episode_id"] for row in found]
    owed: dict[str, list[ObligationSummary]] = {episode_id: [] for episode_id in ids}
    theirs = select(obligations.c.episode_id, *_OBLIGATION).where(obligations.c.episode_id.in_(ids))
    order = (obligations.c.due_at, obligations.c.obligation_id)
    for row in connection.execute(theirs.order_by(*order)).mappings():
        owed[row["episode_id"]].append(_obligation(row))
    return tuple(EpisodeSummary(**row, obligations=tuple(owed[row["episode_id"]])) for row in found)


def _obligation(row: RowMapping) -> ObligationSummary:
    return ObligationSummary(**{column.name: row[column.name] for column in _OBLIGATION})


def _page(row: RowMapping) -> PageSummary:
    values: dict[str, Any] = dict(row)
    for name in ("channels", "recipients"):
        values[name] = tuple(values[name])
    return PageSummary(**values)


def _opened(row: Row[Any], key: ClientKey | None) -> TrailRow:
    payload = salt = None
    if key is not None:
        place = Place(row.episode_id, row.sequence, row.hash, row.key_id, rfc3339(row.written_at))
        payload, salt = key.open(row.sealed, place)
    return TrailRow(
        *(row.episode_id, row.sequence, row.occurred_at, row.recorded_at, row.actor, row.role),
        *(row.command_id, row.kind, payload, salt, row.commitment, row.previous_hash, row.hash),
    )
