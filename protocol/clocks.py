"""Due times on the three clocks. All arguments and results are aware UTC datetimes.

- safety: elapsed time in UTC; never stops and never jumps with daylight saving;
- calendar: the end of the local day so many days later (`0d` is the end of the same local day);
- business: the same local time of day after so many working days, by the protocol's own calendar.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from protocol.elements import SECONDS_OF_UNIT, parse_duration
from protocol.spec import WorkCalendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def due_at(duration: str, start: datetime, zone: ZoneInfo, calendar: WorkCalendar | None = None) -> datetime:
    """When something that starts at `start` is due. Without a calendar every Monday to Friday is a working day."""
    amount, unit = parse_duration(duration)
    if unit == "d":
        return _end_of_local_day(start, amount, zone)
    if unit == "wd":
        return _working_days_later(start, amount, zone, calendar)
    return start + timedelta(seconds=amount * SECONDS_OF_UNIT[unit])


def _end_of_local_day(start: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = start.astimezone(zone)
    day = local.date() + timedelta(days=days + 1)
    return _earlier_instant(datetime.combine(day, time.min), zone)


def _working_days_later(start: datetime, days: int, zone: ZoneInfo, calendar: WorkCalendar | None) -> datetime:
    local = start.astimezone(zone).replace(tzinfo=None)
    day = local.date()
    while days > 0:
        day += timedelta(days=1)
        if is_working_day(day, calendar):
            days -= 1
    return _earlier_instant(datetime.combine(day, local.time()), zone)


def is_working_day(day: date, calendar: WorkCalendar | None) -> bool:
    """Whether the business clock counts this local day."""
    if calendar is None:
        return day.weekday() < 5
    return WEEKDAYS[day.weekday()] in calendar.working_days and day.isoformat() not in calendar.holidays


def _earlier_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local wall time; the earlier, cautious one where it exists twice or not at all."""
    return min(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
