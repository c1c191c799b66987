"""What a supervisor watches: every open episode by risk and lateness, ladders that climb, and who carries how much.

Everything is read from the projections, without client data. Times are aware UTC. Drills are listed but count nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, false, func, or_, select

from audit.database import Database
from audit.queries import unattended
from audit.tables import Moment, episodes, obligations, rises
from protocol.spec import RANK
from protocol.tallies import SEVERE

RECENT = timedelta(days=7)
"""The days over which new severe episodes of one person are counted (program policy: needs clinical sign-off)."""
SILENT_AFTER = timedelta(seconds=30)
"""A deadline that passed longer ago and was not seen to means that the engine, or its episode, is silent."""
MOST_ROWS = 200
"""The longest page of the board."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Which open episodes to show; empty means whichever."""

    owner: str = ""
    level: str = ""
    """This risk level or above."""
    late: bool = False
    """Only those that owe something that is overdue."""
    drills: bool = True


@dataclass(frozen=True, slots=True)
class Watched:
    """An open episode as a row of the board."""

    episode_id: str
    client_ref: str
    protocol_hash: str
    stage: str
    risk: str
    peak_risk: str
    owner: str
    opened_at: datetime
    drill: bool
    open_count: int
    late_count: int
    first_due: datetime | None
    """When the earliest of what it owes is or was due."""
    climbing: bool
    """Somebody was paged and nobody has said that they are on it."""
    unattended: bool
    """Something came due that nobody was paged about."""


@dataclass(frozen=True, slots=True)
class Climbing:
    """An obligation whose ladder is under way."""

    episode_id: str
    client_ref: str
    risk: str
    owner: str
    drill: bool
    obligation_id: str
    kind: str
    title: str
    owner_role: str
    due_at: datetime
    rung: int
    next_page_at: datetime | None


@dataclass(frozen=True, slots=True)
class Load:
    """What one person carries now, and what they carried of late."""

    owner: str
    episodes: int = 0
    severe: int = 0
    """Open episodes at high or imminent risk."""
    severe_clients: int = 0
    late: int = 0
    recent_severe: int = 0
    """Episodes that rose to high or imminent risk within seven days while this person led them, closed ones too."""
    recent_imminent: int = 0
    last_imminent: datetime | None = None
    """When one of them last was imminent, within these days."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers above the board."""

    episodes: int
    by_level: dict[str, int]
    late_episodes: int
    climbing: int


class Board:
    """Reads the board."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, which: Watch, now: datetime, page: int = 1, size: int = 50) -> tuple[tuple[Watched, ...], int]:
        """A page of the board, counted from 1, worst first; and how many episodes there are in all.

        Raises ValueError for an unknown level.
        """
        size = min(max(size, 1), MOST_ROWS)
        query = _rows(which, now).limit(size).offset(size * (max(page, 1) - 1))
        count = _count(which, now)

        def work(connection: Connection) -> tuple[tuple[Watched, ...], int]:
            rows = connection.execute(query).mappings().all()
            total = connection.execute(count).scalar_one()
            return tuple(_row(dict(row)) for row in rows), total

        return await self._database.read(work)

    async def silent(self, now: datetime, stopped: Collection[str], limit: int = 20) -> tuple[tuple[Watched, ...], int]:
        """Open episodes whose deadlines do not ring, worst first, and how many there are.

        These are `stopped`, and those of which something came due that nobody was paged about.
        """
        waiting = select(obligations.c.episode_id).where(unattended(now - SILENT_AFTER))
        ids = episodes.c.episode_id
        which = or_(ids.in_(sorted(stopped)[:MOST_ROWS]), ids.in_(waiting))
        counted = _count(Watch(), now).where(which)
        found = _worst_first(_watched(Watch(), now).where(which)).limit(min(limit, MOST_ROWS))

        def work(connection: Connection) -> tuple[tuple[Watched, ...], int]:
            count = connection.execute(counted).scalar_one()
            rows = connection.execute(found).mappings().all() if count else ()  # what all owe is long to count
            return tuple(_row(dict(row)) for row in rows), count

        return await self._database.read(work)

    async def totals(self, now: datetime) -> Totals:
        """How much is open, by level, late, and climbing."""
        by_level = select(episodes.c.risk, func.count()).where(*_real()).group_by(episodes.c.risk)
        late = select(func.count(obligations.c.episode_id.distinct())).join(episodes).where(*_real(), _late(now))
        climbing = select(func.count()).select_from(obligations).join(episodes).where(*_real(), _climbing(now))

        def work(connection: Connection) -> Totals:
            found: dict[str, int] = {level: count for level, count in connection.execute(by_level)}  # noqa: C416
            levels = {level: found.get(level, 0) for level in reversed(RANK)}
            counted = [connection.execute(query).scalar_one() for query in (late, climbing)]
            return Totals(sum(levels.values()), levels, *counted)

        return await self._database.read(work)

    async def climbing(self, now: datetime, limit: int = 50) -> tuple[Climbing, ...]:
        """Ladders on which somebody was paged and nobody has acknowledged, the next page first; drills come last."""
        query = _owed().where(_climbing(now), episodes.c.closed_at.is_(None))
        order = (episodes.c.drill, obligations.c.next_page_at, obligations.c.episode_id, obligations.c.obligation_id)
        return await self._climbing(query.order_by(*order).limit(min(limit, MOST_ROWS)))

    async def owed_of(self, kinds: Sequence[str], limit: int = 50) -> tuple[Climbing, ...]:
        """Open obligations of these kinds, by due time; those of drills come last."""
        query = _owed().where(obligations.c.kind.in_(kinds) if kinds else false(), episodes.c.closed_at.is_(None))
        order = (episodes.c.drill, obligations.c.due_at, obligations.c.episode_id, obligations.c.obligation_id)
        return await self._climbing(query.order_by(*order).limit(min(limit, MOST_ROWS)))

    async def loads(self, now: datetime) -> tuple[Load, ...]:
        """What each person carries, the most laden first; who led a severe episode of late is there too."""
        severe = episodes.c.risk.in_(SEVERE)
        late = select(obligations.c.episode_id).where(_late(now)).distinct().subquery()
        carried = (
            select(
                episodes.c.owner,
                func.count().label("episodes"),
                func.count().filter(severe).label("severe"),
                func.count(episodes.c.client_ref.distinct()).filter(severe).label("severe_clients"),
                func.count(late.c.episode_id).label("late"),
            )
            .outerjoin(late, late.c.episode_id == episodes.c.episode_id)
            .where(*_real())
            .group_by(episodes.c.owner)
        )
        imminent = rises.c.level == "imminent"
        led = (
            select(
                rises.c.owner,
                func.count(rises.c.episode_id.distinct()).label("recent_severe"),
                func.count(rises.c.episode_id.distinct()).filter(imminent).label("recent_imminent"),
                func.max(rises.c.at, type_=Moment()).filter(imminent).label("last_imminent"),
            )
            .join(episodes, episodes.c.episode_id == rises.c.episode_id)
            .where(episodes.c.drill.is_(False), rises.c.at > now - RECENT, rises.c.at <= now)
            .group_by(rises.c.owner)
        )

        def work(connection: Connection) -> list[Load]:
            found = {row["owner"]: dict(row) for row in connection.execute(carried).mappings()}
            for row in connection.execute(led).mappings():
                found[row["owner"]] = {**found.get(row["owner"], {}), **row}
            return [Load(**row) for row in found.values()]

        loads = await self._database.read(work)
        return tuple(sorted(loads, key=lambda one: (-one.severe, -one.episodes, -one.recent_severe, one.owner)))

    async def _climbing(self, query: Select[Any]) -> tuple[Climbing, ...]:
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(Climbing(**row) for row in rows)


def _real() -> tuple[ColumnElement[bool], ...]:
    return (episodes.c.closed_at.is_(None), episodes.c.drill.is_(False))


def _late(now: datetime) -> ColumnElement[bool]:
    return or_(obligations.c.missed, obligations.c.due_at <= now)


def _climbing(now: datetime) -> ColumnElement[bool]:
    quiet = and_(obligations.c.lease_until.is_not(None), obligations.c.lease_until > now)
    return and_(obligations.c.rung >= 0, ~quiet)


def _owed() -> Select[Any]:
    of_episode = ("episode_id", "client_ref", "risk", "owner", "drill")
    of_duty = ("obligation_id", "kind", "title", "owner_role", "due_at", "rung", "next_page_at")
    columns = [*(episodes.c[name] for name in of_episode), *(obligations.c[name] for name in of_duty)]
    return select(*columns).join(obligations, obligations.c.episode_id == episodes.c.episode_id)


COUNTED = ("open_count", "late_count", "climbing_count", "unattended_count", "first_due")


def _watched(which: Watch, now: datetime) -> Select[Any]:
    """Open episodes with what they owe."""
    owed = (
        select(
            obligations.c.episode_id,
            func.count().label("open_count"),
            func.count().filter(_late(now)).label("late_count"),
            func.count().filter(_climbing(now)).label("climbing_count"),
            func.count().filter(unattended(now - SILENT_AFTER)).label("unattended_count"),
            func.min(obligations.c.due_at).label("first_due"),
        )
        .group_by(obligations.c.episode_id)
        .subquery()
    )
    counted = [owed.c[name] for name in COUNTED]
    query = select(episodes, *counted).outerjoin(owed, owed.c.episode_id == episodes.c.episode_id)
    query = query.where(*_conditions(which))
    return query.where(owed.c.late_count > 0) if which.late else query


def _count(which: Watch, now: datetime) -> Select[int]:
    if which.late:
        return select(func.count()).select_from(_watched(which, now).subquery())
    return select(func.count()).select_from(episodes).where(*_conditions(which))


def _conditions(which: Watch) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [episodes.c.closed_at.is_(None)]
    if which.owner:
        found.append(episodes.c.owner == which.owner)
    if which.level:
        found.append(episodes.c.risk.in_(_from(which.level)))
    if not which.drills:
        found.append(episodes.c.drill.is_(False))
    return found


def _rows(which: Watch, now: datetime) -> Select[Any]:
    return _worst_first(_watched(which, now))


def _worst_first(query: Select[Any]) -> Select[Any]:
    rank = case(RANK, value=episodes.c.risk, else_=max(RANK.values()))
    due = query.selected_columns["first_due"]
    order = (episodes.c.drill, rank.desc(), due.is_(None), due, episodes.c.episode_id)
    return query.order_by(*order)


def _from(level: str) -> list[str]:
    if level not in RANK:
        raise ValueError(f"there is no risk level {level[:20]!r}; the levels are {', '.join(RANK)}")
    return [one for one, rank in RANK.items() if rank >= RANK[level]]


def _row(row: dict[str, Any]) -> Watched:
    fields = ("episode_id", "client_ref", "protocol_hash", "stage", "risk", "peak_risk", "owner", "opened_at", "drill")
    return Watched(
        **{name: row[name] for name in fields},
        open_count=row["open_count"] or 0,
        late_count=row["late_count"] or 0,
        first_due=row["first_due"],
        climbing=bool(row["climbing_count"]),
        unattended=bool(row["unattended_count"]),
    )
