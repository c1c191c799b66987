from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from practice import accounts
from tests.web.desk import Desk, RealClock, desk
from tests.workflows.stack import free_port, stack, temporal_server


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


@pytest.fixture(scope="session")
def temporal_port() -> Iterator[int]:
    """A real Temporal server, shared by the tests of this folder; each has its own task queue."""
    port = free_port()
    with temporal_server(port):
        yield port


@pytest.fixture
async def live(tmp_path: Path, temporal_port: int) -> AsyncIterator[Desk]:
    """The application with a real engine: Temporal, a worker, the records."""
    async with (
        stack(tmp_path, temporal_port, worker_sandbox=False) as made,
        made.worker(),
        desk(tmp_path, made.settings, RealClock()) as opened,
    ):
        yield opened


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made
