"""Worker processes that read the records side by side: Python computes on one processor alone.

Each has a connection and the keys, which reach it through the pipe that starts it, and holds one job at a time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from audit.database import Database, connect
from audit.sealing import Keyring

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 2
"""Jobs handed out for each process, those it works on included: what waits to be taken must not fill the memory."""


@dataclass
class Crew:
    """Does jobs in `count` processes, which start with the first job. Leave it as a context to end them."""

    url: str = field(repr=False)
    """Where the records are."""
    keys: Sequence[tuple[str, bytes]] = field(repr=False)
    """The key-encryption keys by name."""
    count: int
    _pool: ProcessPoolExecutor | None = field(default=None, init=False, repr=False)

    async def run(self, work: Callable[[Database, Keyring, J], Awaitable[R]], jobs: Iterable[J]) -> AsyncIterator[R]:
        """What a module's function makes of each job, in their order. Raises what it raises."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork would copy threads and connections halfway
            self._pool = ProcessPoolExecutor(self.count, context, _Place.take, (self.url, tuple(self.keys)))
        under_way = deque[asyncio.Future[R]]()
        for job in jobs:
            under_way.append(asyncio.get_running_loop().run_in_executor(self._pool, _do, work, job))
            if len(under_way) == AHEAD * self.count:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class _Place:
    """What a process of the crew has, from its start."""

    database: ClassVar[Database]
    ring: ClassVar[Keyring]

    @classmethod
    def take(cls, url: str, keys: Sequence[tuple[str, bytes]]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever leads the crew ends it
        cls.database, cls.ring = connect(url, pool_size=1), Keyring(keys)


def _do(work: Callable[[Database, Keyring, J], Awaitable[R]], job: J) -> R:
    async def do() -> R:
        return await work(_Place.database, _Place.ring, job)

    return asyncio.run(do())
