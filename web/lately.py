"""Whose session was found usable a few minutes ago: all that is left to go by while the records are away."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from practice.accounts import digest
from practice.sessions import IDLE, Session

MOST = 2_000


class Lately:
    """In memory, this process's own. Good for declaring an emergency and for nothing else: it can't be revoked."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[Session, datetime]] = OrderedDict()

    def note(self, token: str, session: Session | None, now: datetime) -> None:
        """What the records just said of this token. One that is locked or ended is forgotten."""
        key = digest(token)
        self._seen.pop(key, None)
        if session is not None and session.usable:
            self._seen[key] = (session, now)
            while len(self._seen) > MOST:
                self._seen.popitem(last=False)

    def of(self, token: str, now: datetime) -> Session | None:
        """The session as it was found within the time after which an untouched one locks; else None."""
        session, seen_at = self._seen.get(digest(token), (None, now))
        if session is None or now - seen_at >= IDLE or now >= session.expires_at:
            return None
        return session

    def forget(self, token_hash: str) -> None:
        """This session was locked or ended here."""
        self._seen.pop(token_hash, None)

    def forget_others(self, account_id: str, kept: str = "") -> None:
        """The sessions of this account were ended here, but for one."""
        gone = [key for key, (one, _) in self._seen.items() if one.account.account_id == account_id and key != kept]
        for key in gone:
            self.forget(key)
