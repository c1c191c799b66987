"""Counts over time without anybody in them: what brought people, how soon somebody was on it, what was missed.

Counted by calendar month in UTC as the entries came in; drills count nowhere. Small numbers are withheld before
anything is shown, and so is what would give them away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Connection, Select, Text, func, select, type_coerce

from audit.database import Database
from audit.tables import episodes, tallies
from protocol.spec import LEVELS

SMALLEST = 5
"""A count above zero and below this is withheld: it could point at somebody (program policy: needs sign-off)."""
PERIOD = timedelta(days=365)
KINDS = ("crisis", "met", "missed", "waived", "decided", "overruled", "refused", "closed")
"""What is counted by name; see `protocol.tallies`."""

Counts = dict[str, int | None]
"""None stands for a number that is withheld."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Whole minutes from the first page to somebody being on it; None where too few were counted."""

    count: int | None
    median: int | None
    nine_of_ten: int | None
    """So many minutes at most in nine of ten cases."""


@dataclass(frozen=True, slots=True)
class Trends:
    """Counts of the last year, of one version of a protocol or of all."""

    since: datetime
    versions: tuple[str, ...]
    """`virtual_iop_crisis 1.0.0`: those that anything was counted under."""
    by_level: Counts
    """Episodes by the highest risk they reached."""
    by_month: Counts
    """Episodes opened, by month as 2026-11."""
    missed_by_month: Counts
    named: Mapping[str, Counts]
    """By kind, then by name, the most frequent first."""
    waits: Mapping[str, Wait]
    """By month."""


async def trends(database: Database, now: datetime, version: str = "") -> Trends:
    """The trends of the year before `now` (aware UTC); `version` as in `Trends.versions`, empty for all."""
    since = now - PERIOD
    columns = (tallies.c.protocol, tallies.c.protocol_version, tallies.c.kind, tallies.c.name, tallies.c.month)
    counted = select(*columns, tallies.c.minutes, func.count().label("times"))
    counted = counted.where(tallies.c.month >= _month(since)).group_by(*columns, tallies.c.minutes)

    def work(connection: Connection) -> Trends:
        sums = _Sums(version)
        for row in connection.execute(_opened(since, connection.dialect.name)):
            of = f"{row.protocol} {row.protocol_version}"
            sums.add(of, "level", row.peak_risk, row.times)
            sums.add(of, "opened", row.month, row.times)
        for row in connection.execute(counted):
            of = f"{row.protocol} {row.protocol_version}"
            if row.kind == "acknowledged":
                sums.wait(of, row.month, row.minutes or 0, row.times)
            else:
                sums.add(of, row.kind, row.name, row.times)
            if row.kind == "missed":
                sums.add(of, "missed by month", row.month, row.times)
        every = _months(since, now)
        return Trends(
            since,
            tuple(sorted(sums.versions)),
            sums.shown("level", reversed(LEVELS)),
            sums.shown("opened", every),
            sums.shown("missed by month", every),
            {kind: sums.shown(kind) for kind in KINDS},
            {month: sums.waited(month) for month in every},
        )

    return await database.read(work)


def _opened(since: datetime, dialect: str) -> Select[Any, Any, Any, Any, int]:
    """How many episodes were opened since then, by version, highest risk and month; counted by the database."""
    at = episodes.c.opened_at
    month = func.to_char(func.timezone("UTC", at), "YYYY-MM")
    if dialect == "sqlite":
        month = func.substr(type_coerce(at, Text()), 1, 7)
    columns = (episodes.c.protocol, episodes.c.protocol_version, episodes.c.peak_risk, month.label("month"))
    counted = select(*columns, func.count().label("times")).where(episodes.c.drill.is_(False), at >= since)
    return counted.group_by(*columns)


class _Sums:
    """Counts of one version beside those of all, so that their difference gives nothing away either."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._all: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._own: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._waits: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.versions: set[str] = set()

    def add(self, version: str, kind: str, name: str, count: int = 1) -> None:
        self.versions.add(version)
        self._all[kind][name] += count
        if self._version in ("", version):
            self._own[kind][name] += count

    def wait(self, version: str, month: str, minutes: int, count: int) -> None:
        if self._version in ("", version):
            self._waits[month][minutes] += count

    def shown(self, kind: str, names: Iterable[str] = ()) -> Counts:
        own, everywhere = self._own[kind], self._all[kind]
        named = list(names) or [name for name, _ in sorted(own.items(), key=lambda one: (-one[1], one[0]))]
        telling = {name for name in named if 0 < everywhere[name] - own[name] < SMALLEST}
        return withheld({name: own[name] for name in named}, telling)

    def waited(self, month: str) -> Wait:
        minutes = self._waits[month]
        count = minutes.total()
        if count < SMALLEST:
            return Wait(None if count else 0, None, None)
        return Wait(count, within(minutes, 0.5), within(minutes, 0.9))


def withheld(counts: Mapping[str, int], telling: Iterable[str] = ()) -> Counts:
    """The counts without those too small to show, and without those that would tell them by subtraction.

    Where something is withheld, so much is that at least two are and that together they are no small number.
    `telling` are names that some other list would give away. Zero says nothing about anybody.
    """
    hidden = {name for name, count in counts.items() if 0 < count < SMALLEST} | {one for one in telling if counts[one]}
    rest = sorted((name for name in counts if counts[name] and name not in hidden), key=lambda name: counts[name])
    while hidden and rest and (len(hidden) < 2 or sum(counts[name] for name in hidden) < SMALLEST):
        hidden.add(rest.pop(0))
    return {name: None if name in hidden else count for name, count in counts.items()}


def within(minutes: Mapping[int, int], share: float) -> int:
    """The smallest number of minutes within which this share of what was counted lies."""
    wanted, seen = ceil(share * sum(minutes.values())), 0
    for minute in sorted(minutes):
        seen += minutes[minute]
        if seen >= wanted:
            return minute
    return 0


def _month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def _months(first: datetime, last: datetime) -> list[str]:
    found = {_month(first + timedelta(days=day)) for day in range((last - first).days + 1)}
    return sorted(found | {_month(last)})
