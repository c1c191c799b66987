"""When a supervisor should look after somebody: the flags of the program's policy, which need clinical sign-off."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.board import RECENT, Load

MOST_RECENT_SEVERE = 2
"""So many episodes at high or imminent risk within seven days are unremarkable; one more is flagged."""
MOST_SEVERE_CLIENTS = 5
"""So many clients at high or imminent risk at once are unremarkable; one more is flagged."""
REST = timedelta(hours=24)
"""After an imminent episode somebody gets no new client at high risk for so long, unless they agree."""
DUTIES = ("support_2h", "support_24h", "learning_14d", "workload")
"""What the protocols owe to a clinician, as ours name it: a word within 2 h, a meeting within 24 h, and apart from
that a review between day 7 and 14."""


def flags(load: Load, now: datetime) -> tuple[str, ...]:
    """What to talk about with this person, in words; empty when nothing stands out."""
    found: list[str] = []
    if load.recent_imminent:
        found.append(f"{_counted(load.recent_imminent, 'imminent episode')} in {RECENT.days} days: support first")
    if rests_until(load, now) is not None:
        found.append("nobody new at high risk now, unless they agree")
    if load.recent_severe > MOST_RECENT_SEVERE:
        found.append(f"{load.recent_severe} high or imminent episodes in {RECENT.days} days")
    if load.severe_clients > MOST_SEVERE_CLIENTS:
        found.append(f"{load.severe_clients} clients at high or imminent risk at once")
    return tuple(found)


def rests_until(load: Load, now: datetime) -> datetime | None:
    """Until when somebody should get nobody new at high risk (aware UTC); None when that is over, or never was."""
    until = load.last_imminent + REST if load.last_imminent is not None else None
    return until if until is not None and until > now else None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
