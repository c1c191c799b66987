"""Connections to the records: SQLite for one machine, PostgreSQL for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

T = TypeVar("T")

BUSY_SECONDS = 10
"""How long a statement waits for another writer before it fails; the activity then tries again."""

STATEMENT_SECONDS = 30
"""How long PostgreSQL may work on one statement; a migration may take longer."""

SILENT_SECONDS = 45.0
"""How long PostgreSQL may say nothing at all: longer than any statement may take."""

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
_WRITES = "holdfast_writes"


class Database:
    """A bounded pool of connections with a thread for each.

    A transaction runs as one piece in its thread: less than half the processor time of an asynchronous driver,
    which goes back and forth for every statement. When the caller is cancelled, the piece still ends whole.
    """

    def __init__(self, engine: Engine, pool_size: int) -> None:
        self.engine = engine
        self._writing = for_writing(engine)
        self._standing = engine  # on SQLite a transaction sees one moment as it is
        if engine.dialect.name == "postgresql":
            self._standing = engine.execution_options(isolation_level="REPEATABLE READ")
        self._readers = ThreadPoolExecutor(pool_size, thread_name_prefix="records")
        self._writers = self._readers
        if engine.dialect.name == "sqlite":  # one writer at a time: waiting in line beats polling for the lock
            self._writers = ThreadPoolExecutor(1, thread_name_prefix="records-writer")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do some reading in one transaction."""
        return await _run(self._readers, self.engine, work)

    async def read_moment(self, work: Callable[[Connection], T]) -> T:
        """Do some reading in one transaction that sees the records as they were at one moment."""
        return await _run(self._readers, self._standing, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do some writing in one transaction: all of it or, with an exception, nothing."""
        return await _run(self._writers, self._writing, work)

    async def dispose(self) -> None:
        """Close the connections. Nothing can be read or written afterwards."""
        for threads in (self._readers, self._writers):
            await asyncio.to_thread(threads.shutdown)
        self.engine.dispose()


async def _run(threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
    def transaction() -> T:
        with engine.begin() as connection:
            return work(connection)

    return await asyncio.get_running_loop().run_in_executor(threads, transaction)


def connect(url: str, pool_size: int = 5) -> Database:
    """The records at an address. Raises ValueError for any other database than SQLite or PostgreSQL."""
    return Database(connect_sync(url, pool_size + 1), pool_size)


def connect_sync(url: str, pool_size: int = 1) -> Engine:
    """An engine with bounded pool and bounded waits, for whoever has a thread of its own."""
    engine = create_engine(_address(url), **_options(url, pool_size))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    else:
        event.listen(engine, "do_connect", _impatient)
    return engine


def _impatient(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
    from audit.impatience import ImpatientConnection  # whoever keeps SQLite does without the driver

    made = ImpatientConnection.connect(*arguments, **named)
    made.patience = SILENT_SECONDS
    return made


def for_writing(engine: Engine) -> Engine:
    """The same connections; on SQLite a transaction takes the write lock at its start, never halfway."""
    return engine.execution_options(**{_WRITES: True})


def without_limits(connection: Connection) -> None:
    """Let a transaction on PostgreSQL take as long as it takes: a migration of large tables."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    its_own: Any = connection.connection.driver_connection
    its_own.patience = None


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
    limits = {
        "lock_timeout": f"{BUSY_SECONDS}s",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{STATEMENT_SECONDS}s",
    }
    settings = " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **limits}.items())
    keep_alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
    arguments = {"connect_timeout": 5, "options": settings, "application_name": "holdfast", **keep_alive}
    return {**shared, "pool_pre_ping": True, "connect_args": arguments}


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
