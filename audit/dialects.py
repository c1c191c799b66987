"""The few statements that SQLite and PostgreSQL know alike but SQLAlchemy keeps in their dialects."""

from __future__ import annotations

from sqlalchemy import Insert, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def insert_or_skip(connection: AsyncConnection, table: Table) -> Insert:
    """An insert that does nothing where the row is there already."""
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_update(connection: AsyncConnection, table: Table, newer: str) -> Insert:
    """An insert that replaces a row with the same primary key when its column `newer` is greater."""
    insert = _insert(connection, table)
    keys = list(table.primary_key.columns)
    values = {column.name: insert.excluded[column.name] for column in table.columns if column not in keys}
    is_newer = table.columns[newer] < insert.excluded[newer]
    return insert.on_conflict_do_update(index_elements=keys, set_=values, where=is_newer)


async def lock_episode(connection: AsyncConnection, episode_id: str) -> None:
    """Wait until no other transaction writes to this episode. On SQLite there is one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:episode_id, 0))"), {"episode_id": episode_id}
        )


def _insert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
