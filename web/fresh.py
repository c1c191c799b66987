"""What this process has just done and the records may not show yet; and words for the next page."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

MOST = 2_000
MOST_LOOKS = 100_000
ONE_LOOK = timedelta(minutes=10)
"""A page that is opened again within this time is the same look."""


Look = tuple[str, str, str, str]
"""Person, view, episode, client."""


class Fresh:
    """Kept in memory, the latest few: a lost one costs a word of confirmation, never an entry."""

    def __init__(self) -> None:
        self._opened: OrderedDict[str, str] = OrderedDict()
        self._looks: OrderedDict[Look, datetime] = OrderedDict()
        self._said: OrderedDict[str, list[str]] = OrderedDict()

    def note_opened(self, episode_id: str, account_id: str) -> None:
        """This person opened that episode a moment ago."""
        self._opened[episode_id] = account_id
        _trim(self._opened)

    def opened_by(self, episode_id: str, account_id: str) -> bool:
        """Whether this person opened it here."""
        return self._opened.get(episode_id) == account_id

    def looks_again(self, look: Look, now: datetime, *, goes_on: bool = False) -> bool:
        """Whether this look was written down a few minutes ago. `goes_on`: the page was open all the while."""
        before = self._looks.get(look)
        if before is None or now - before >= ONE_LOOK:
            return False
        if goes_on:
            self._looks[look] = now
        return True

    def note_look(self, look: Look, now: datetime) -> None:
        """It was written down."""
        self._looks[look] = now
        _trim(self._looks, MOST_LOOKS)

    def say(self, session: str, lines: list[str]) -> None:
        """Keep what the next page of this session is to say."""
        self._said[session] = lines
        _trim(self._said)

    def said(self, session: str) -> list[str]:
        """What there is to say, once."""
        return self._said.pop(session, [])


def _trim(kept: OrderedDict[Any, Any], most: int = MOST) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
