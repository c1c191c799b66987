"""Sessions kept on the server: they can be locked, ended one by one, and end by themselves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from audit.database import Database
from practice.accounts import PATIENCE, Account, account_in, digest, wait_after
from practice.sealing import Seal
from practice.tables import accounts, sessions

LONGEST = timedelta(hours=12)
"""A session ends then, whatever happens in it: the length of a shift."""
IDLE = timedelta(minutes=15)
"""Without a request for so long, a session asks for the password again (program policy: needs sign-off)."""
NOTED_EVERY = timedelta(seconds=30)
"""How exactly the last request of a session is remembered; each note is a write."""


_COLUMNS = [column for column in accounts.c if column.name not in ("account_id", "created_at", "failures")]
_LIVING = (
    select(sessions, *_COLUMNS)
    .join(accounts)
    .where(sessions.c.revoked_at.is_(None), sessions.c.expires_at > bindparam("now"), accounts.c.disabled_at.is_(None))
)
_OF_TOKEN = _LIVING.where(sessions.c.token_hash == bindparam("token"))
"""Asked for every page, so it is written once."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. Times are aware UTC."""

    token_hash: str
    account: Account
    form_token: str
    """Must come back with every form of this session."""
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    second_factor_due: bool
    """The password was right; the code is still owed."""
    locked_at: datetime | None
    """Since when it asks for the password again."""
    issuer: str | None = None
    """The provider that let them in; None for a password of ours."""
    wait_until: datetime | None = None
    """Too many wrong passwords at the locked screen: none is tried before this moment."""

    @property
    def usable(self) -> bool:
        """May do what its account may do."""
        return not self.second_factor_due and self.locked_at is None


class Sessions:
    """The sessions of all accounts."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def begin(
        self, account: Account, now: datetime, *, enrols: bool = False, issuer: str | None = None, id_token: str = ""
    ) -> tuple[str, Session]:
        """A new session and its token, which only the browser keeps. `enrols`: a second factor is still to be set up.

        With an issuer, the provider asked for whatever it asks for, and its token is kept for signing out there.
        """
        token = secrets.token_urlsafe(32)
        values: dict[str, Any] = {
            "token_hash": digest(token),
            "account_id": account.account_id,
            "form_token": secrets.token_urlsafe(24),
            "created_at": now,
            "seen_at": now,
            "expires_at": now + LONGEST,
            "second_factor_due": issuer is None and (enrols or account.has_second_factor),
            "issuer": issuer,
        }
        kept = {**values, "id_token": self._sealed(id_token, values["form_token"])}
        await self._database.write(lambda connection: connection.execute(insert(sessions), kept))
        del values["account_id"]
        return token, Session(account=account, locked_at=None, **values)

    async def of(self, token: str, now: datetime, *, by_itself: bool = False) -> Session | None:
        """The session of a token; None when it ended. An idle one comes back locked.

        Notes the visit, unless the page asks by itself, with nobody at it.
        """
        told = {"token": digest(token), "now": now}
        row = await self._database.read(lambda connection: connection.execute(_OF_TOKEN, told).first())
        if row is None:
            return None
        session = _session(row)
        if session.locked_at is not None or now - session.seen_at < NOTED_EVERY:
            return session
        idle = now - session.seen_at >= IDLE
        if by_itself and not idle:
            return session
        await self._change(session, {"locked_at": now} if idle else {"seen_at": now})
        return _session(row, locked_at=now) if idle else session

    async def lock(self, session: Session, now: datetime) -> None:
        """Ask for the password again before anything else."""
        await self._change(session, {"locked_at": now})

    async def unlock(self, session: Session, now: datetime) -> str:
        """Go on: the password was right. The token changes; the forms of the open pages stay good."""
        fresh = {"locked_at": None, "seen_at": now, "failures": 0, "wait_until": None}
        return await self._renewed(session, fresh)

    async def second_factor_given(self, session: Session, now: datetime) -> str:
        """Go on: the code was right. The token and that of the forms change."""
        form_token = secrets.token_urlsafe(24)
        return await self._renewed(session, {"second_factor_due": False, "seen_at": now, "form_token": form_token})

    async def unlock_failed(self, session: Session, now: datetime) -> datetime | None:
        """Count a wrong password at a locked screen, for this session alone; until when the next one waits."""

        def work(connection: Connection) -> datetime | None:
            mine = sessions.c.token_hash == session.token_hash
            failures = (connection.scalar(select(sessions.c.failures).where(mine)) or 0) + 1
            until = None if failures < PATIENCE else now + wait_after(failures)
            connection.execute(update(sessions).where(mine).values(failures=failures, wait_until=until))
            return until

        return await self._database.write(work)

    async def whose(self, token: str) -> str:
        """The account of a token whose session may have ended; empty when it is not known any more."""
        query = select(sessions.c.account_id).where(sessions.c.token_hash == digest(token))
        return await self._database.read(lambda connection: connection.scalar(query)) or ""

    async def id_token(self, session: Session) -> str:
        """What the provider said of this session's person, to sign out there with; empty without a provider."""
        query = select(sessions.c.id_token).where(sessions.c.token_hash == session.token_hash)
        sealed = await self._database.read(lambda connection: connection.scalar(query))
        return self._seal.open(sealed, "id_token", session.form_token)["token"] if sealed else ""

    async def end_all(self, account_id: str, now: datetime) -> None:
        """End every session of an account."""
        theirs = (sessions.c.account_id == account_id) & sessions.c.revoked_at.is_(None)
        change = update(sessions).where(theirs).values(revoked_at=now)
        await self._database.write(lambda connection: connection.execute(change))

    async def end(self, session: Session, now: datetime) -> None:
        """End this session."""
        await self._change(session, {"revoked_at": now})

    async def end_others(self, session: Session, now: datetime) -> None:
        """End every other session of the account."""
        others = (sessions.c.account_id == session.account.account_id) & sessions.c.revoked_at.is_(None)
        change = update(sessions).where(others, sessions.c.token_hash != session.token_hash).values(revoked_at=now)
        await self._database.write(lambda connection: connection.execute(change))

    async def living(self, account_id: str, now: datetime) -> tuple[Session, ...]:
        """The sessions of an account that have not ended, latest first."""
        query = _LIVING.where(sessions.c.account_id == account_id).order_by(sessions.c.seen_at.desc()).limit(50)
        rows = await self._database.read(lambda connection: connection.execute(query, {"now": now}).all())
        return tuple(_session(row) for row in rows)

    async def forget(self, before: datetime) -> None:
        """Drop sessions that expired before a moment."""
        gone = delete(sessions).where(sessions.c.expires_at < before)
        await self._database.write(lambda connection: connection.execute(gone))

    def _sealed(self, id_token: str, form_token: str) -> bytes | None:
        return self._seal.close({"token": id_token}, "id_token", form_token) if id_token else None

    async def _renewed(self, session: Session, values: dict[str, Any]) -> str:
        token = secrets.token_urlsafe(32)
        await self._change(session, {**values, "token_hash": digest(token)})
        return token

    async def _change(self, session: Session, values: dict[str, Any]) -> None:
        change = update(sessions).where(sessions.c.token_hash == session.token_hash).values(**values)
        await self._database.write(lambda connection: connection.execute(change))


def _session(row: Any, locked_at: datetime | None = None) -> Session:
    return Session(
        *(row.token_hash, account_in(row), row.form_token, row.created_at, row.seen_at, row.expires_at),
        *(row.second_factor_due, locked_at or row.locked_at, row.issuer, row.wait_until),
    )
