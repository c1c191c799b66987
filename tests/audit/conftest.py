from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from audit.database import Database, connect
from audit.migrate import upgrade
from audit.queries import Queries
from audit.store import Store
from tests.audit.records import RING, sqlite_url
from tests.postgresql import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A real PostgreSQL server; the address of its first database."""
    with postgresql() as server:
        yield server.get_uri()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Empty records on each of the two databases."""
    if request.param == "sqlite":
        address = sqlite_url(tmp_path)
        upgrade(address)
        yield address
        return
    server = request.getfixturevalue("server")
    name = f"records_{uuid4().hex}"
    admin = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    address = admin.url.set(database=name).render_as_string(hide_password=False)
    upgrade(address)
    yield address
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
async def records(url: str) -> AsyncIterator[Database]:
    records = connect(url)
    yield records
    await records.dispose()


@pytest.fixture
def store(records: Database) -> Store:
    return Store(records, RING)


@pytest.fixture
def queries(records: Database) -> Queries:
    return Queries(records, RING)
