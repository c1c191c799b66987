"""Connections to the records: SQLite for one machine, PostgreSQL for many."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_SECONDS = 10
"""How long a statement waits for another writer before it fails; the activity then tries again."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
_WRITES = "holdfast_writes"


def connect(url: str, pool_size: int = 5) -> AsyncEngine:
    """An engine with bounded pool and bounded waits. Raises ValueError for any other database."""
    engine = create_async_engine(_address(url), **_options(url, pool_size))
    _prepare(engine.sync_engine)
    return engine


def connect_sync(url: str) -> Engine:
    """The same for the migrations."""
    address = _address(url)
    if address.drivername == "sqlite+aiosqlite":
        address = address.set(drivername="sqlite")
    engine = create_engine(address, **_options(url, 1))
    _prepare(engine)
    return engine


def for_writing(engine: AsyncEngine) -> AsyncEngine:
    """The same connections; on SQLite a transaction takes the write lock at its start, never halfway."""
    return engine.execution_options(**{_WRITES: True})


def _address(url: str) -> URL:
    address = make_url(url)
    backend = address.get_backend_name()
    if backend not in _DRIVERS:
        raise ValueError(f"records live in SQLite or PostgreSQL, not {backend}: sqlite:///file or postgresql://…")
    return address.set(drivername=_DRIVERS[backend])


def _options(url: str, pool_size: int) -> dict[str, Any]:
    # Parameters never appear in an error: they carry sealed client data and references.
    shared: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size, "max_overflow": 0, "pool_timeout": 10}
    if make_url(url).get_backend_name() == "sqlite":
        return {**shared, "connect_args": {"timeout": BUSY_SECONDS}}
    settings = f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s"
    keep_alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    arguments = {"connect_timeout": 5, "options": settings, "application_name": "holdfast", **keep_alive}
    return {**shared, "pool_pre_ping": True, "connect_args": arguments}


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    cursor = connection.cursor()
    # Not WAL: SQLite 3.7.0 to 3.51.2 can corrupt a database whose WAL is reset in a race. TRUNCATE is the
    # rollback journal without a file creation each time; FULL survives a power cut. secure_delete overwrites
    # a destroyed key in the file.
    for pragma in ("journal_mode=TRUNCATE", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
