"""Counts over time without anybody in them: episodes by risk, deadlines kept and missed, emergencies, referrals.

Counted by calendar month in UTC; drills count nowhere. Small numbers are withheld before anything is shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from audit.database import Database
from audit.tables import episodes, trail
from protocol.spec import LEVELS

SMALLEST = 5
"""A count above zero and below this is withheld: it could point at somebody (program policy: needs sign-off)."""
PERIOD = timedelta(days=365)
KINDS: dict[str, str] = {
    "ObligationMet": "Deadlines met",
    "DeadlineMissed": "Deadlines missed",
    "EmergencyDeclared": "Emergencies declared",
    "ContactMade": "Live contacts",
    "ContactAttempted": "Attempts without contact",
    "ReferralRequested": "Higher care asked for",
    "Acknowledged": "Pages acknowledged",
    "CommandRefused": "Acts refused by a rule",
}
"""What happened → how a person calls it."""


@dataclass(frozen=True, slots=True)
class Trends:
    """Counts of the last year; None stands for a number too small to show."""

    since: datetime
    by_level: dict[str, int | None]
    """Episodes by the highest risk they reached."""
    by_month: dict[str, int | None]
    """Episodes opened, by month as 2026-11."""
    happened: dict[str, int | None]
    """By the words of `KINDS`."""
    missed_by_month: dict[str, int | None]


async def trends(database: Database, now: datetime) -> Trends:
    """The trends of the year before `now` (aware UTC)."""
    since = now - PERIOD
    opened = select(episodes.c.opened_at, episodes.c.peak_risk).where(
        episodes.c.drill.is_(False), episodes.c.opened_at >= since
    )
    of_real = select(trail.c.kind, trail.c.occurred_at).join(episodes, episodes.c.episode_id == trail.c.episode_id)
    events = of_real.where(episodes.c.drill.is_(False), trail.c.kind.in_(tuple(KINDS)), trail.c.occurred_at >= since)

    def work(connection: Connection) -> Trends:
        levels: Counter[str] = Counter()
        months: Counter[str] = Counter()
        for row in connection.execute(opened):
            levels[row.peak_risk] += 1
            months[_month(row.opened_at)] += 1
        kinds: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        for row in connection.execute(events):
            kinds[row.kind] += 1
            if row.kind == "DeadlineMissed":
                missed[_month(row.occurred_at)] += 1
        every = _months(since, now)
        return Trends(
            since,
            {level: shown(levels[level]) for level in reversed(LEVELS)},
            {month: shown(months[month]) for month in every},
            {said: shown(kinds[kind]) for kind, said in KINDS.items()},
            {month: shown(missed[month]) for month in every},
        )

    return await database.read(work)


def shown(count: int) -> int | None:
    """The count, or None where it is too small to be shown. Zero says nothing about anybody."""
    return None if 0 < count < SMALLEST else count


def _month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def _months(first: datetime, last: datetime) -> list[str]:
    found = {_month(first + timedelta(days=day)) for day in range((last - first).days + 1)}
    return sorted(found | {_month(last)})
