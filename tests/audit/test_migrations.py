"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from audit.database import connect, connect_sync
from audit.migrate import is_current, upgrade
from practice.tables import metadata
from tests.audit.records import sqlite_url


def test_migrations_and_tables_agree(url: str):
    engine = connect_sync(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
        made = inspect(connection)
        assert set(made.get_table_names()) == {*metadata.tables, "alembic_version"}
        for table in metadata.tables.values():
            assert set(made.get_pk_constraint(table.name)["constrained_columns"]) == set(
                table.primary_key.columns.keys()
            )
            for column in made.get_columns(table.name):
                nullable = bool(table.columns[column["name"]].nullable)
                assert bool(column["nullable"]) == nullable, f"{table.name}.{column['name']}"
    engine.dispose()


def test_upgrading_again_changes_nothing(url: str):
    assert is_current(url)
    upgrade(url)
    assert is_current(url)


def test_records_of_no_version_are_not_current(tmp_path: Path):
    assert not is_current(sqlite_url(tmp_path))


def test_many_processes_may_upgrade_at_once(tmp_path: Path):
    address = sqlite_url(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [address] * 4))
    assert is_current(address)


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path):
    address = sqlite_url(tmp_path)
    engine = connect_sync(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE pages (mine INTEGER)"))
    with pytest.raises(Exception, match="pages"):
        upgrade(address)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["pages"]
    engine.dispose()


def test_other_databases_are_refused():
    with pytest.raises(ValueError, match="SQLite or PostgreSQL, not mysql"):
        connect("mysql://localhost/records")
