"""The few statements that SQLite and PostgreSQL know alike but SQLAlchemy keeps in their dialects.

Made once and kept: putting a statement together costs more than running it.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Insert, Table, text
from sqlalchemy.dialects import postgresql, sqlite

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:episode_id, 0))")


@cache
def insert_or_skip(dialect: str, table: Table) -> Insert:
    """An insert that does nothing where the row is there already."""
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def insert_or_update(dialect: str, table: Table, newer: str) -> Insert:
    """An insert that replaces a row with the same primary key when its column `newer` is greater.

    Returns the primary key when it inserted or replaced, and nothing otherwise.
    """
    insert = _insert(dialect, table)
    keys = list(table.primary_key.columns)
    values = {column.name: insert.excluded[column.name] for column in table.columns if column not in keys}
    is_newer = table.columns[newer] < insert.excluded[newer]
    return insert.on_conflict_do_update(index_elements=keys, set_=values, where=is_newer).returning(*keys)


def lock_episode(connection: Connection, episode_id: str) -> None:
    """Wait until no other transaction writes to this episode. On SQLite there is one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"episode_id": episode_id})


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
