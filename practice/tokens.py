"""Tokens for other systems: each belongs to an account, may do only what it was made for, and ends."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from audit.database import Database
from practice.accounts import Account, AccountError, account_in, digest
from practice.tables import accounts, api_tokens

PREFIX = "hf_"
LONGEST_DAYS = 366
MOST = 50


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token; the token itself is shown once. Times are aware UTC."""

    token_id: str
    account_id: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


class Tokens:
    """The tokens of all accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account_id: str, label: str, scopes: tuple[str, ...], days: int, now: datetime) -> str:
        """A new token, which is not kept. Raises AccountError when it has no label, no scope or lasts too long."""
        if not label.strip() or len(label) > 80 or not scopes or not 1 <= days <= LONGEST_DAYS:
            raise AccountError(f"a token needs a label, at least one scope, and an end within {LONGEST_DAYS} days")
        token = PREFIX + secrets.token_urlsafe(32)
        row = {
            "token_hash": digest(token),
            "token_id": secrets.token_hex(8),
            "account_id": account_id,
            "label": label.strip(),
            "scopes": sorted(scopes),
            "created_at": now,
            "expires_at": now + timedelta(days=days),
        }
        await self._database.write(lambda connection: connection.execute(insert(api_tokens), row))
        return token

    async def holder(self, token: str, now: datetime) -> tuple[Account, frozenset[str]] | None:
        """Whose token it is and what it may be used for; None when it ended or never was."""
        query = select(accounts, api_tokens.c.scopes).join(api_tokens)
        query = query.where(
            api_tokens.c.token_hash == digest(token),
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at > now,
            accounts.c.disabled_at.is_(None),
        )
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return account_in(row), frozenset(row.scopes)

    async def of(self, account_id: str, now: datetime) -> tuple[Token, ...]:
        """The living tokens of an account, the latest first."""
        query = select(api_tokens).where(
            api_tokens.c.account_id == account_id, api_tokens.c.revoked_at.is_(None), api_tokens.c.expires_at > now
        )
        query = query.order_by(api_tokens.c.created_at.desc()).limit(MOST)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(
            Token(row.token_id, row.account_id, row.label, tuple(row.scopes), row.created_at, row.expires_at)
            for row in rows
        )

    async def revoke(self, account_id: str, token_id: str, now: datetime) -> None:
        """End a token of this account."""
        mine = (api_tokens.c.token_id == token_id) & (api_tokens.c.account_id == account_id)
        await self._database.write(
            lambda connection: connection.execute(update(api_tokens).where(mine).values(revoked_at=now))
        )
