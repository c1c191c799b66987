"""Who may sign in: accounts with roles, a password, a second factor, and a lock after wrong attempts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, get_args

from pwdlib import PasswordHash
from pyotp import random_base32
from pyotp.totp import TOTP
from sqlalchemy import Connection, insert, select, update

from audit.database import Database
from practice.sealing import Seal
from practice.tables import accounts, sessions
from protocol.commands import SYSTEM_ACTOR

Role = Literal["therapist", "on_call", "supervisor", "clinical_operations", "auditor", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)

PATIENCE = 5
"""Wrong attempts before an account waits."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
STEP_SECONDS = 30
NO_PASSWORD = ""
"""Stands where a hash would: no password fits."""
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")
_AT_ONCE = asyncio.Semaphore(2)
"""Each check of a password takes 64 MB for a moment."""


class AccountError(Exception):
    """An account can't be made or changed like this; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. `account_id` is their id in the rota where they are staff on it."""

    account_id: str
    name: str
    roles: tuple[Role, ...]
    has_second_factor: bool
    disabled: bool
    has_password: bool = True
    """False for somebody who comes by single sign-on alone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a password or a code."""

    account: Account | None
    """Who it is; None when it was wrong."""
    wait_until: datetime | None = None
    """No attempt counts before this moment (aware UTC)."""


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobody() -> str:
    """A hash that no password has: an unknown name takes as long as a known one."""
    return _hasher().hash("nobody signs in with this")


class Accounts:
    """The accounts of the practice."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def add(
        self, account_id: str, name: str, roles: tuple[Role, ...], password: str | None, now: datetime
    ) -> None:
        """Make an account; without a password for single sign-on alone.

        Raises AccountError when the id is taken or the engine's own, or the password too short.
        """
        if not _ID.fullmatch(account_id):
            raise AccountError("an account's id is lower-case letters, digits, dots, dashes: at most 48")
        if account_id == SYSTEM_ACTOR:
            raise AccountError(f"{account_id} is the name under which the engine itself writes; take another one")
        if not roles or not set(roles) <= set(ROLES):
            raise AccountError(f"roles are some of {', '.join(ROLES)}")
        values = {
            "account_id": account_id,
            "name": name,
            "roles": list(roles),
            "password_hash": NO_PASSWORD if password is None else await _hashed(password),
            "second_factor_step": 0,
            "failures": 0,
            "created_at": now,
        }

        def work(connection: Connection) -> None:
            if connection.execute(select(accounts).where(accounts.c.account_id == account_id)).first() is not None:
                raise AccountError(f"there is an account {account_id} already")
            connection.execute(insert(accounts), values)

        await self._database.write(work)

    async def get(self, account_id: str) -> Account | None:
        """An account, None when there is none of this id."""
        row = await self._row(account_id)
        return None if row is None else account_in(row)

    async def everybody(self) -> tuple[Account, ...]:
        """All accounts, by id."""
        query = select(accounts).order_by(accounts.c.account_id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(account_in(row) for row in found)

    async def check_password(self, account_id: str, password: str, now: datetime) -> Attempt:
        """Hold a password against an account. Wrong ones count; an account that waits refuses right ones too.

        With a second factor only its code ends the count: else a known password would buy guesses at the code.
        """
        row = await self._row(account_id)
        waiting = _waiting(row, now)
        if waiting is not None:
            return Attempt(None, waiting)
        fits = await _fits(password, _nobody() if row is None else row.password_hash or _nobody())
        if row is None or row.disabled_at is not None or not fits:
            return Attempt(None, await self._failed(account_id, now))
        if row.second_factor is None:
            await self._succeeded(account_id)
        return Attempt(account_in(row))

    async def knows(self, account_id: str, password: str) -> bool:
        """Whether this is the account's password; whoever asks counts the wrong ones."""
        row = await self._row(account_id)
        fits = await _fits(password, _nobody() if row is None else row.password_hash or _nobody())
        return fits and row is not None and row.disabled_at is None

    async def check_code(self, account_id: str, code: str, now: datetime) -> Attempt:
        """Hold a code of the second factor against an account. A code counts once."""
        row = await self._row(account_id)
        waiting = _waiting(row, now)
        if row is None or row.second_factor is None or waiting is not None:
            return Attempt(None, waiting)
        step = fitting_step(self._secret(row), code, now)
        if step is None or not await self._used(account_id, step):
            return Attempt(None, await self._failed(account_id, now))
        await self._succeeded(account_id)
        return Attempt(account_in(row))

    async def set_second_factor(self, account_id: str, secret: str | None) -> None:
        """Keep, or with None take away, the secret of the second factor. Other sessions are not touched."""
        sealed = None if secret is None else self._seal.close({"secret": secret}, "second_factor", account_id)
        change = update(accounts).where(accounts.c.account_id == account_id)
        await self._database.write(
            lambda connection: connection.execute(change.values(second_factor=sealed, second_factor_step=0))
        )

    async def set_password(self, account_id: str, password: str, now: datetime) -> None:
        """Change a password and end every session. Raises AccountError when it is too short or nobody's."""
        values = {"password_hash": await _hashed(password), "failures": 0, "locked_until": None}
        await self._change_and_end(account_id, values, now)

    async def disable(self, account_id: str, now: datetime) -> None:
        """Let an account sign in no more and end its sessions. Raises AccountError."""
        await self._change_and_end(account_id, {"disabled_at": now}, now)

    async def _change_and_end(self, account_id: str, values: dict[str, Any], now: datetime) -> None:
        """Change an account and end its sessions. Raises AccountError when there is none."""

        def work(connection: Connection) -> None:
            change = update(accounts).where(accounts.c.account_id == account_id).values(**values)
            if connection.execute(change).rowcount == 0:
                raise AccountError(f"there is no account {account_id}")
            ended = update(sessions).where(sessions.c.account_id == account_id, sessions.c.revoked_at.is_(None))
            connection.execute(ended.values(revoked_at=now))

        await self._database.write(work)

    async def enable(self, account_id: str, now: datetime) -> None:
        """Let an account sign in again. Raises AccountError."""
        await self._change_and_end(account_id, {"disabled_at": None, "failures": 0, "locked_until": None}, now)

    async def set_roles(self, account_id: str, roles: tuple[Role, ...], now: datetime) -> None:
        """Give an account other roles; it signs in anew. Raises AccountError."""
        if account_id == SYSTEM_ACTOR:
            raise AccountError(f"{account_id} is the name under which the engine itself writes; take another one")
        if not roles or not set(roles) <= set(ROLES):
            raise AccountError(f"roles are some of {', '.join(ROLES)}")
        await self._change_and_end(account_id, {"roles": list(roles)}, now)

    async def reset_second_factor(self, account_id: str, now: datetime) -> None:
        """Take somebody's second factor away, because they lost it, and end their sessions. Raises AccountError."""
        values = {"second_factor": None, "second_factor_step": 0, "failures": 0, "locked_until": None}
        await self._change_and_end(account_id, values, now)

    async def drop_password(self, account_id: str, now: datetime) -> None:
        """From now on they come by single sign-on: the next who brings this name there is them. Raises AccountError."""
        await self._change_and_end(account_id, {"password_hash": NO_PASSWORD, "second_factor": None}, now)

    def _secret(self, row: Any) -> str:
        return self._seal.open(row.second_factor, "second_factor", row.account_id)["secret"]

    async def _row(self, account_id: str) -> Any | None:
        if not _ID.fullmatch(account_id):
            return None
        query = select(accounts).where(accounts.c.account_id == account_id)
        return await self._database.read(lambda connection: connection.execute(query).first())

    async def _used(self, account_id: str, step: int) -> bool:
        """Mark the step as used; False when it, or a later one, was used before."""
        change = update(accounts).where(accounts.c.account_id == account_id, accounts.c.second_factor_step < step)
        change = change.values(second_factor_step=step)
        return await self._database.write(lambda connection: connection.execute(change).rowcount == 1)

    async def _succeeded(self, account_id: str) -> None:
        mine = (accounts.c.account_id == account_id) & (accounts.c.failures > 0)
        change = update(accounts).where(mine).values(failures=0, locked_until=None)
        await self._database.write(lambda connection: connection.execute(change))

    async def _failed(self, account_id: str, now: datetime) -> datetime | None:
        def work(connection: Connection) -> datetime | None:
            mine = accounts.c.account_id == account_id
            found = connection.execute(select(accounts.c.failures).where(mine)).first()
            if found is None:
                return None
            failures = found.failures + 1
            until = None if failures < PATIENCE else now + wait_after(failures)
            connection.execute(update(accounts).where(mine).values(failures=failures, locked_until=until))
            return until

        return await self._database.write(work)


def wait_after(failures: int) -> timedelta:
    """How long an account waits after so many wrong attempts in a row; doubles up to a quarter of an hour."""
    return min(FIRST_WAIT * 2 ** min(failures - PATIENCE, 10), LONGEST_WAIT)


def fitting_step(secret: str, code: str, now: datetime) -> int | None:
    """The 30-second step whose code this is: the present one, or one beside it for clocks that differ."""
    totp = TOTP(secret)
    present = int(now.timestamp()) // STEP_SECONDS
    written = "".join(code.split())
    for step in (present, present - 1, present + 1):
        if hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), written.encode()):
            return step
    return None


def enrolment_address(secret: str, account_id: str) -> str:
    """What an authenticator app reads from the QR code."""
    return TOTP(secret).provisioning_uri(name=account_id, issuer_name="Holdfast")


def new_secret() -> str:
    """A fresh random secret for a second factor."""
    return random_base32()


def digest(token: str) -> str:
    """What is kept of a token; the token itself is known to its holder alone."""
    return hashlib.sha256(token.encode()).hexdigest()


async def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    async with _AT_ONCE:
        return await asyncio.to_thread(_hasher().hash, password)


async def _fits(password: str, hashed: str) -> bool:
    async with _AT_ONCE:
        return await asyncio.to_thread(_hasher().verify, password[:LONGEST_PASSWORD], hashed)


def _waiting(row: Any | None, now: datetime) -> datetime | None:
    return row.locked_until if row is not None and row.locked_until is not None and row.locked_until > now else None


def account_in(row: Any) -> Account:
    """The account in a row that has its columns."""
    return Account(
        *(row.account_id, row.name, tuple(row.roles), row.second_factor is not None, row.disabled_at is not None),
        has_password=row.password_hash != NO_PASSWORD,
    )
