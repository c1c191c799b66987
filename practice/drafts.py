"""What somebody has typed and not sent yet, kept sealed until they send it or a month has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, insert, select

from audit.database import Database
from practice.sealing import Seal
from practice.tables import drafts

KEPT_FOR = timedelta(days=30)
MOST_FIELDS, LONGEST_FIELD = 200, 8_000

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a form as they were typed."""

    fields: Fields
    saved_at: datetime


class Drafts:
    """One draft for each person and place."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def save(self, account_id: str, place: str, fields: Fields, now: datetime) -> tuple[str, ...]:
        """Keep the fields in place of those before. What is too long is cut; the names of those fields."""
        kept = {name[:80]: [one[:LONGEST_FIELD] for one in values[:60]] for name, values in fields.items()}
        kept = dict(list(kept.items())[:MOST_FIELDS])
        sealed = self._seal.close({"fields": kept}, "draft", f"{account_id}/{place}")
        row = {"account_id": account_id, "place": place, "sealed": sealed, "saved_at": now}
        await self._database.write(
            lambda connection: (
                connection.execute(_theirs(account_id, place)),
                connection.execute(insert(drafts), row),
                connection.execute(delete(drafts).where(drafts.c.saved_at < now - KEPT_FOR)),
            )
        )
        return tuple(name for name, values in fields.items() if kept.get(name[:80]) != values)

    async def at(self, account_id: str, place: str) -> Draft | None:
        """The draft of this person at this place, None without one."""
        query = select(drafts).where(drafts.c.account_id == account_id, drafts.c.place == place)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return Draft(self._seal.open(row.sealed, "draft", f"{account_id}/{place}")["fields"], row.saved_at)

    async def under(self, account_id: str, place: str) -> dict[str, Draft]:
        """The drafts of this person at places that begin with this one, by the rest of the place."""
        query = select(drafts).where(
            drafts.c.account_id == account_id, drafts.c.place.startswith(f"{place}/", autoescape=True)
        )
        rows = await self._database.read(lambda connection: connection.execute(query.limit(50)).all())
        return {
            row.place.removeprefix(f"{place}/"): Draft(
                self._seal.open(row.sealed, "draft", f"{account_id}/{row.place}")["fields"], row.saved_at
            )
            for row in rows
        }

    async def forget(self, account_id: str, place: str) -> None:
        """Drop the draft: it was sent."""
        await self._database.write(lambda connection: connection.execute(_theirs(account_id, place)))


def _theirs(account_id: str, place: str) -> Delete:
    return delete(drafts).where(drafts.c.account_id == account_id, drafts.c.place == place)
