from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.workflows.stack import Stack, free_port, stack, temporal_server


@pytest.fixture(scope="session")
def temporal_port() -> Iterator[int]:
    """A real Temporal server, shared by the tests of this folder; each has its own task queue."""
    port = free_port()
    with temporal_server(port):
        yield port


@pytest.fixture
async def shell(tmp_path: Path, temporal_port: int) -> AsyncIterator[Stack]:
    async with stack(tmp_path, temporal_port) as made:
        yield made
