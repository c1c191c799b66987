from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit.database import Database, connect
from audit.migrate import upgrade
from tests.audit.records import sqlite_url


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(sqlite_url(tmp_path))
    database = connect(sqlite_url(tmp_path))
    yield database
    await database.dispose()
