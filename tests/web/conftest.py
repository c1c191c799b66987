from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from practice import accounts
from tests.web.desk import Desk, desk


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Argon2 as it is, with little work: a test makes many accounts."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    before = accounts._hasher  # pyright: ignore[reportPrivateUsage]
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    accounts._hasher = lambda: quick  # pyright: ignore[reportPrivateUsage]
    yield
    accounts._hasher = before  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made
