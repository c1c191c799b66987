"""The wire between a worker and its server, on loopback: it can be cut, silently or with a reset, and mended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Wire:
    """Passes bytes on, both ways."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._refusing = False
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self, *, silently: bool) -> None:
        """From now on nothing passes. Silently: like a network that loses every packet; else like one that resets."""
        self._whole.clear()
        self._refusing = not silently
        if not silently:
            for end in tuple(self._ends):
                end.transport.abort()

    def mend(self) -> None:
        """What was held up passes, as TCP would send it again; new connections are taken."""
        self._refusing = False
        self._whole.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A worker has connected."""
        if self._refusing:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        ends = {writer, far_writer}
        self._ends |= ends
        ways = [asyncio.create_task(self._pass(*way)) for way in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ends -= ends
            for way in ways:
                way.cancel()
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65_536):
                await self._whole.wait()
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
