"""Bring the records' schema up to date, and give the application no more rights than it needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from audit.database import connect_sync, for_writing, without_limits

_LOCK = 0x484F4C44  # any number, the same for every process that migrates

#: What the application may do on PostgreSQL. What must not change: read and append.
RIGHTS = {
    "trail": "SELECT, INSERT",
    "protocols": "SELECT, INSERT",
    "checkpoints": "SELECT, INSERT",
    "publications": "SELECT, INSERT",
    "client_keys": "SELECT, INSERT",
    "accesses": "SELECT, INSERT",
    "releases": "SELECT, INSERT",
    "holds": "SELECT, INSERT",
    "ledger": "SELECT, INSERT",
    "ledger_waiting": "SELECT, INSERT, DELETE",
    "saved_searches": "SELECT, INSERT, UPDATE, DELETE",
    "episodes": "SELECT, INSERT, UPDATE",
    "obligations": "SELECT, INSERT, UPDATE, DELETE",
    "pages": "SELECT, INSERT, UPDATE",
    "rises": "SELECT, INSERT",
    "tallies": "SELECT, INSERT",
    "accounts": "SELECT, INSERT, UPDATE",
    "sessions": "SELECT, INSERT, UPDATE, DELETE",
    "identities": "SELECT, INSERT, DELETE",
    "sign_ins": "SELECT, INSERT, DELETE",
    "api_calls": "SELECT, INSERT, UPDATE, DELETE",
    "subscriptions": "SELECT, INSERT, UPDATE",
    "subscription_heads": "SELECT, INSERT, UPDATE",
    "deliveries": "SELECT, INSERT, UPDATE, DELETE",
    "api_tokens": "SELECT, INSERT, UPDATE",
    "clients": "SELECT, INSERT, UPDATE",
    "caseloads": "SELECT, INSERT, DELETE",
    "drafts": "SELECT, INSERT, UPDATE, DELETE",
    "emergency_access": "SELECT, INSERT, UPDATE",
    "facilities": "SELECT, INSERT, UPDATE",
    "number_changes": "SELECT, INSERT, UPDATE",
    "rota_changes": "SELECT, INSERT, UPDATE",
    "roster_gaps": "SELECT, INSERT, UPDATE, DELETE",
    "alembic_version": "SELECT",
}


def upgrade(url: str, application_role: str | None = None) -> None:
    """Run every migration that the records lack; safe to call from many processes at once.

    On PostgreSQL, `application_role` names the login of the workers: an existing role, not the one of `url`.
    It is given `RIGHTS` and nothing else. Raises ValueError when the role is the owner itself.
    """
    engine = connect_sync(url)
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with for_writing(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                without_limits(connection)
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(_config(connection), "head")
            if application_role is not None and connection.dialect.name == "postgresql":
                _grant(connection, application_role)
    finally:
        engine.dispose()


def is_current(url: str) -> bool:
    """Whether the records have the schema that this code expects."""
    engine = connect_sync(url)
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
            return present == ScriptDirectory.from_config(_config(connection)).get_current_head()
    finally:
        engine.dispose()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _grant(connection: Connection, role: str) -> None:
    if role == connection.scalar(text("SELECT current_user")):
        raise ValueError(f"{role} owns the records: the application needs a role of its own")
    name = connection.dialect.identifier_preparer.quote(role)
    schema = connection.dialect.identifier_preparer.quote(str(connection.scalar(text("SELECT current_schema()"))))
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    for table, rights in RIGHTS.items():
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {name}, PUBLIC")
        connection.exec_driver_sql(f"GRANT {rights} ON {table} TO {name}")
