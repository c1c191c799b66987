"""Times as people write and read them: local to a zone, turned into aware UTC and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from protocol.elements import SECONDS_OF_UNIT

LAST_YEAR = 2999
"""A later one is a typing error, and near the end of the calendar nothing can be reckoned any more."""
DAY = 86_400


def to_utc(written: str, zone: ZoneInfo, reference: datetime | None = None) -> datetime:
    """Read `2026-12-01 14:05`, `14:20`, `+15m` or `+1d`, with `Z` for UTC, as an aware UTC time.

    `reference` (aware) gives the local day of a bare time and the start of a relative one.
    Raises ValueError with the remedy.
    """
    if written.startswith("+"):
        return _later(written, zone, _needed(written, reference))
    here: ZoneInfo | None = None if written.endswith("Z") else zone
    day_text, _, clock_text = written.removesuffix("Z").replace("T", " ").rpartition(" ")
    try:
        clock = time.fromisoformat(clock_text)
        day = date.fromisoformat(day_text) if day_text else None
    except ValueError:
        raise ValueError(f"{written[:40]!r} is not a time; write 2026-12-01 14:05, 14:20 or +15m") from None
    if day is None:
        day = _needed(written, reference).astimezone(here or UTC).date()
    if day.year > LAST_YEAR:
        raise ValueError(f"{written[:40]!r} lies too far ahead; check the year")
    moment = datetime.combine(day, clock)
    return moment.replace(tzinfo=UTC) if here is None else localized(moment, here)


def _needed(written: str, reference: datetime | None) -> datetime:
    if reference is None:
        raise ValueError(f"{written} needs a day; write it in full, such as 2026-12-01 14:05")
    return reference


def _later(written: str, zone: ZoneInfo, reference: datetime) -> datetime:
    amount, unit = int(written[1:-1]), written[-1]
    local = reference.astimezone(zone).replace(tzinfo=None)
    if local.year + amount * SECONDS_OF_UNIT.get(unit, DAY) // (365 * DAY) > LAST_YEAR:
        raise ValueError(f"{written!r} lies too far ahead; let less time pass")
    if unit == "d":
        return localized(local + timedelta(days=amount), zone)
    return reference + timedelta(seconds=amount * SECONDS_OF_UNIT[unit])


def localized(wall: datetime, zone: ZoneInfo) -> datetime:
    """The one UTC instant of a naive wall-clock time. Raises ValueError where there is none or where there are two."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early != late:
        exists = early.astimezone(zone).replace(tzinfo=None) == wall
        trouble = "happens twice" if exists else "does not exist"
        raise ValueError(f"{wall:%Y-%m-%d %H:%M} {trouble} in {zone.key} (clock change); write it in UTC, with Z")
    return early


def show_day(moment: datetime, zone: ZoneInfo) -> str:
    """`Tue 1 Dec 2026`."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y}"


def show_date(day: date) -> str:
    """`1 Dec 2026`."""
    return f"{day.day} {day:%b %Y}"


def show_clock(moment: datetime, zone: ZoneInfo) -> str:
    """`14:05`, with seconds only where there are some."""
    local = moment.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def show_time(moment: datetime, zone: ZoneInfo, seen_from: datetime | None = None) -> str:
    """`Sat 5 Dec 16:00`; only the clock on the same local day as `seen_from`, the year where it differs."""
    local = moment.astimezone(zone)
    if seen_from is None:
        return f"{show_day(moment, zone)} {show_clock(moment, zone)}"
    near = seen_from.astimezone(zone)
    if local.date() == near.date():
        return show_clock(moment, zone)
    day = f"{local:%a} {local.day} {local:%b}" + ("" if local.year == near.year else f" {local.year}")
    return f"{day} {show_clock(moment, zone)}"


def show_span(span: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`; never negative."""
    seconds = abs(int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
