"""The wire between a worker and its server, on loopback: it can be cut, silently or with a reset, one way or both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal

Way = Literal["up", "down"]


class Wire:
    """Passes bytes on, both ways."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._open: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._let_all_pass()
        self._refusing = False
        self._ends: set[asyncio.StreamWriter] = set()

    def _let_all_pass(self) -> None:
        for way in self._open.values():
            way.set()

    def cut(self, *, silently: bool, only: Way | None = None) -> None:
        """From now on nothing passes, or nothing one way: `up` to the server, `down` to the worker.

        Silently: like a network that loses every packet; else like one that resets.
        """
        for way, open_now in self._open.items():
            if only in (None, way):
                open_now.clear()
        self._refusing = not silently
        if not silently:
            for end in tuple(self._ends):
                end.transport.abort()

    def mend(self) -> None:
        """What was held up passes, as TCP would send it again; new connections are taken."""
        self._refusing = False
        self._let_all_pass()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A worker has connected."""
        if self._refusing:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, far_writer}
        self._ends |= ends
        both = (("up", reader, far_writer), ("down", far_reader, writer))
        ways = [asyncio.create_task(self._pass(*way)) for way in both]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ends -= ends
            for way in ways:
                way.cancel()
            for end in ends:
                end.transport.abort()

    async def _pass(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65_536):
                await self._open[way].wait()
                writer.write(some)
                await writer.drain()


@contextlib.asynccontextmanager
async def wire(server_port: int) -> AsyncIterator[tuple[Wire, int]]:
    """A wire to the server on this port, and the port at which it begins."""
    made = Wire(server_port)
    listening = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    try:
        yield made, int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        made.cut(silently=False)
