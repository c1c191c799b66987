"""How often somebody may ask, counted in this process. Nothing that a crisis needs is ever counted."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from web.access import Action

CRISIS: frozenset[Action] = frozenset(
    {
        *("episode.open", "episode.read", "episode.act", "episode.contact", "episode.emergency"),
        *("queue.read", "access.break_glass"),
    }
)
"""Reporting, reading and leading an episode, acknowledging, a contact, an emergency, and the list of what one owes."""
MINUTE = timedelta(minutes=1)
MOST_KNOWN = 20_000


class Limit:
    """So many in a span of time for each key; a new span begins with the first that comes after the last."""

    def __init__(self, most: int, span: timedelta) -> None:
        self.most = most
        self._span = span
        self._counts: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def until(self, key: str, now: datetime) -> datetime | None:
        """The moment before which this key is to wait; None when it need not."""
        since, count = self._counts.get(key, (now, 0))
        return since + self._span if count >= self.most and now < since + self._span else None

    def count(self, key: str, now: datetime) -> None:
        """One more."""
        since, count = self._counts.pop(key, (now, 0))
        self._counts[key] = (since, count + 1) if now < since + self._span else (now, 1)
        while len(self._counts) > MOST_KNOWN:
            self._counts.popitem(last=False)


class Limits:
    """Wrong passwords and codes of one address, sign-ins that one address begins, and what one account asks for."""

    def __init__(self) -> None:
        self.wrong = Limit(60, timedelta(minutes=10))
        self.begun = Limit(60, MINUTE)
        self.asked = Limit(1_200, MINUTE)

    def may_ask(self, account_id: str, action: Action, now: datetime) -> datetime | None:
        """Count what an account asks for; the moment to wait for when it asks too often, None when it may."""
        if action in CRISIS:
            return None
        waits = self.asked.until(account_id, now)
        self.asked.count(account_id, now)
        return waits
