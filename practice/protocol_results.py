"""What was found about a protocol by proving and testing it, kept by content hash, and runs by hand.

A result counts only for the rules that it was found with: another release finds anew. Times are aware UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from audit.database import Database
from practice.tables import protocol_results as results
from practice.tables import protocol_simulations as simulations

Kind = Literal["proof", "tests", "scenarios"]
"""`scenarios`: those that were made for it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A result as it was kept."""

    kind: Kind
    key: str
    protocol_hash: str
    result: dict[str, Any]
    by: str
    at: datetime


class ProtocolResults:
    """Results by kind and key. `rules` is the hash of the rules that are running."""

    def __init__(self, database: Database, rules: str) -> None:
        self._database = database
        self._rules = rules

    async def keep(self, found: Found) -> None:
        """Keep a result in place of an earlier one."""
        row = {name: getattr(found, name) for name in ("kind", "key", "protocol_hash", "by", "at")}
        text = json.dumps(found.result, ensure_ascii=False)
        gone = delete(results).where(results.c.kind == found.kind, results.c.key == found.key)
        await self._database.write(
            lambda connection: (
                connection.execute(gone),
                connection.execute(insert(results), {**row, "rules": self._rules, "result": text}),
            )
        )

    async def get(self, kind: Kind, key: str) -> Found | None:
        """A result; None when there is none of these rules."""
        return await self._one(results.c.kind == kind, results.c.key == key)

    async def latest(self, kind: Kind, protocol_hash: str) -> Found | None:
        """The latest result about a version; None when there is none of these rules."""
        return await self._one(results.c.kind == kind, results.c.protocol_hash == protocol_hash)

    async def _one(self, *conditions: Any) -> Found | None:
        query = select(results).where(*conditions, results.c.rules == self._rules)
        query = query.order_by(results.c.at.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        return Found(row.kind, row.key, row.protocol_hash, json.loads(row.result), row.by, row.at)


class Simulations:
    """What somebody did by hand with a draft; one run for each person and draft."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, draft_id: str, account_id: str) -> dict[str, Any] | None:
        """The run; None without one."""
        query = select(simulations.c.document).where(
            simulations.c.draft_id == draft_id, simulations.c.account_id == account_id
        )
        return await self._database.read(lambda connection: connection.scalar(query))

    async def keep(self, draft_id: str, account_id: str, document: dict[str, Any] | None, now: datetime) -> None:
        """Keep a run in place of the one before; None forgets it."""
        mine = (simulations.c.draft_id == draft_id, simulations.c.account_id == account_id)
        row = {"draft_id": draft_id, "account_id": account_id, "document": document, "changed_at": now}

        def work(connection: Connection) -> None:
            connection.execute(delete(simulations).where(*mine))
            if document is not None:
                connection.execute(insert(simulations), row)

        await self._database.write(work)
