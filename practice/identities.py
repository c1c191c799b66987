"""Single sign-on: which account a person of an identity provider is, and sign-ins that are under way.

An account is found by issuer and subject. Only the first time a name leads to it, and never to one with a password:
whoever can choose a name at the provider must not become an account that lives here.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from audit.database import Database
from practice.accounts import NO_PASSWORD, Account, Role, account_in, digest
from practice.sealing import Seal
from practice.tables import accounts, api_tokens, identities, sessions, sign_ins

LONGEST = timedelta(minutes=15)
"""How long somebody may take at the provider."""


class NotLinked(Exception):
    """Nobody of ours is this person; `reason` is for the log, without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the provider named, and what our settings make of their groups."""

    issuer: str
    subject: str
    account_id: str
    """The name to take the first time."""
    name: str
    roles: tuple[Role, ...]


class Identities:
    """Who is who at the provider."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account_of(self, known: Known, now: datetime) -> Account:
        """Their account with the roles of today's groups; made the first time. Raises NotLinked.

        Other roles than before end the sessions that began with those.
        """

        def work(connection: Connection) -> Account:
            row = connection.execute(_linked(known)).first()
            if row is None:
                row = _link(connection, known, now)
            if row.disabled_at is not None:
                raise NotLinked("account_ended")
            mine = accounts.c.account_id == row.account_id
            if set(row.roles) != set(known.roles):
                ended = update(sessions).where(sessions.c.account_id == row.account_id, sessions.c.revoked_at.is_(None))
                connection.execute(ended.values(revoked_at=now))
            connection.execute(update(accounts).where(mine).values(roles=list(known.roles), name=known.name))
            return account_in(connection.execute(select(accounts).where(mine)).one())

        return await self._database.write(work)

    async def dismiss(self, issuer: str, subject: str, now: datetime) -> None:
        """None of this person's groups means anything here any more: end their sessions and tokens."""

        def work(connection: Connection) -> None:
            mine = select(identities.c.account_id).where(identities.c.issuer == issuer, identities.c.subject == subject)
            for held in (sessions, api_tokens):
                theirs = held.c.account_id.in_(mine) & held.c.revoked_at.is_(None)
                connection.execute(update(held).where(theirs).values(revoked_at=now))

        await self._database.write(work)

    async def unlink(self, account_id: str) -> None:
        """Forget who this account is at the provider."""
        gone = delete(identities).where(identities.c.account_id == account_id)
        await self._database.write(lambda connection: connection.execute(gone))


def _linked(known: Known) -> Any:
    query = select(accounts).join(identities)
    return query.where(identities.c.issuer == known.issuer, identities.c.subject == known.subject)


def _link(connection: Connection, known: Known, now: datetime) -> Any:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,47}", known.account_id):
        raise NotLinked("account_claim_unusable")
    mine = accounts.c.account_id == known.account_id
    row = connection.execute(select(accounts).where(mine)).first()
    if row is None:
        fresh: dict[str, Any] = {"account_id": known.account_id, "name": known.name, "roles": list(known.roles)}
        fresh |= {"password_hash": NO_PASSWORD, "second_factor_step": 0, "failures": 0, "created_at": now}
        connection.execute(insert(accounts), fresh)
    elif row.password_hash != NO_PASSWORD:
        raise NotLinked("account_has_a_password")
    elif connection.execute(select(identities).where(identities.c.account_id == known.account_id)).first() is not None:
        raise NotLinked("account_is_somebody_else")
    link = {"issuer": known.issuer, "subject": known.subject, "account_id": known.account_id, "linked_at": now}
    connection.execute(insert(identities), link)
    return connection.execute(select(accounts).where(mine)).one()


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in under way at the provider, and where to go on afterwards."""

    verifier: str
    nonce: str
    to: str = "/"
    kept: str = ""
    """A form that waits, as it was sent."""
    resume: str = ""
    of: str = ""
    """The account that must come back; empty for anybody."""
    asked_anew_at: int = 0
    """Seconds since 1970 when the provider was asked to look again at who it is; 0 when it was not asked to."""


class SignIns:
    """Sign-ins under way: each belongs to one browser, counts once and ends by itself."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def begin(self, sign_in: SignIn, now: datetime) -> tuple[str, str]:
        """Keep it, sealed; the state for the provider and the secret for the browser."""
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        told = {name: getattr(sign_in, name) for name in SignIn.__dataclass_fields__}
        row = {
            "state_hash": digest(state),
            "browser_hash": digest(browser),
            "sealed": self._seal.close(told, "sign_in", digest(state)),
            "expires_at": now + LONGEST,
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= now))
            connection.execute(insert(sign_ins), row)

        await self._database.write(work)
        return state, browser

    async def take(self, state: str, browser: str, now: datetime) -> SignIn | None:
        """The sign-in of this state and this browser, once; None for any other."""
        mine = (sign_ins.c.state_hash == digest(state)) & (sign_ins.c.browser_hash == digest(browser))

        def work(connection: Connection) -> bytes | None:
            row = connection.execute(select(sign_ins).where(mine, sign_ins.c.expires_at > now)).first()
            gone = connection.execute(delete(sign_ins).where(mine)).rowcount if row is not None else 0
            return row.sealed if row is not None and gone == 1 else None

        sealed = await self._database.write(work)
        return None if sealed is None else SignIn(**self._seal.open(sealed, "sign_in", digest(state)))
