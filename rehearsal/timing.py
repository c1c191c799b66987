"""How far time passes in a simulation, as people write it: `2 h later`, `tomorrow 09:00`, `until next deadline`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from protocol.elements import SECONDS_OF_UNIT
from protocol.episode import Episode, next_deadline
from protocol.local_time import localized, to_utc

EXAMPLES = "2 h later, 45 min, 1 week later, next, until next deadline, tomorrow 09:00, 14:20, 2026-12-01 14:20"
LONGEST = timedelta(days=31)
"""At once: a ladder that nobody answers pages every few minutes all that time."""

_LATER = re.compile(r"\+?\s*(\d{1,5})\s*([smhdw]|(?:sec|second|min|minute|hour|day|week)s?)(?:\s+later)?")
_TOMORROW = re.compile(r"tomorrow\s+(\d{1,2}:\d{2})")


class NoSuchTime(ValueError):
    """What was written is no time to wait for; the message says what to write instead."""


def until(written: str, now: datetime, zone: ZoneInfo, episode: Episode | None) -> datetime:
    """The moment (aware UTC) that is meant. Raises NoSuchTime for none, for the past, and for too far ahead."""
    at = _meant(written.strip().lower(), now, zone, episode)
    if at <= now:
        raise NoSuchTime(f"{written[:40]} is not later than now; time only passes forward (`undo` goes back)")
    if at - now > LONGEST:
        raise NoSuchTime(f"{written[:40]} is too far; let at most {LONGEST.days} days pass at once")
    return at.replace(microsecond=0)


def _meant(written: str, now: datetime, zone: ZoneInfo, episode: Episode | None) -> datetime:
    if written == "next":
        return _something(next_deadline(episode) if episode else None)
    if written in ("until next deadline", "next deadline", "deadline"):
        return _something(_deadline(episode, now))
    try:
        if later := _LATER.fullmatch(written):
            return _later(int(later[1]), later[2][0], now, zone)
        if tomorrow := _TOMORROW.fullmatch(written):
            day = now.astimezone(zone).date() + timedelta(days=1)
            return to_utc(f"{day.isoformat()} {tomorrow[1].zfill(5)}", zone)
        return to_utc(written.upper(), zone, now)
    except (ValueError, OverflowError) as error:
        known = str(error) if "clock change" in str(error) else f"{written[:40]!r} is no time to wait for"
        raise NoSuchTime(f"{known}; write one of: {EXAMPLES}") from None


def _something(found: datetime | None) -> datetime:
    if found is None:
        raise NoSuchTime("nothing is owed, so nothing comes due; say how long to wait")
    return found


def _deadline(episode: Episode | None, now: datetime) -> datetime | None:
    """The next one that is not missed yet; where all are, the next page about them."""
    if episode is None:
        return None
    ahead = [one.due_at for one in episode.obligations.values() if one.due_at > now]
    return min(ahead, default=None) or next_deadline(episode)


def _later(amount: int, unit: str, now: datetime, zone: ZoneInfo) -> datetime:
    if unit in "dw":
        days = amount * (7 if unit == "w" else 1)
        return localized(now.astimezone(zone).replace(tzinfo=None) + timedelta(days=days), zone)
    return now + timedelta(seconds=amount * SECONDS_OF_UNIT[unit])
