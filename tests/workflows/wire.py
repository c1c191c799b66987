"""The wire between a process and its server: it can be cut, silently or with a reset, slowed, and mended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Wire:
    """Passes bytes on, both ways."""

    def __init__(self, server: int | Path) -> None:
        self._server = server
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self._refusing = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self._left: int | None = None
        self._silently = False
        self._serving: set[asyncio.Task[None]] = set()
        self.seconds = 0.0
        """How long each piece takes."""

    def cut(self, *, silently: bool, there: bool = True, back: bool = True) -> None:
        """From now on nothing passes, or nothing on the way there or back.

        Silently: like a network that loses every packet; else like one that resets.
        """
        for cut, way in ((there, self._there), (back, self._back)):
            if cut:
                way.clear()
        self._refusing = not silently
        if not silently:
            self._reset()

    def mend(self) -> None:
        """What was held up passes, as TCP would send it again; new connections are taken."""
        self._left = None
        self._refusing = False
        self._there.set()
        self._back.set()

    def break_after(self, pieces: int, *, silently: bool = False) -> None:
        """Let so many pieces pass, of both ways together, then break the connections there are. New ones are taken.

        Silently: nothing passes on them any more, but every end is told that it was taken.
        """
        self._left, self._silently = pieces, silently

    @property
    def has_yet_to_break(self) -> bool:
        """True while fewer pieces passed than it was told to wait for."""
        return self._left is not None

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody has connected."""
        if self._refusing:
            writer.transport.abort()
            return
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        far_reader, far_writer = await self._to_the_server()
        ends = {writer, far_writer}
        self._ends |= ends
        ways = [
            asyncio.create_task(self._pass(reader, far_writer, self._there)),
            asyncio.create_task(self._pass(far_reader, writer, self._back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ends -= ends
            for way in ways:
                way.cancel()
            for end in ends:
                end.transport.abort()

    async def _to_the_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._server, Path):
            return await asyncio.open_unix_connection(self._server)
        return await asyncio.open_connection("127.0.0.1", self._server)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65_536):
                await asyncio.sleep(self.seconds)
                await whole.wait()
                if writer in self._dead:
                    continue
                if not self._breaks():
                    writer.write(some)
                    await writer.drain()

    def _breaks(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._left = None
        if self._silently:
            self._dead |= self._ends
        else:
            self._reset()
        return True

    async def closed(self) -> None:
        """Break everything and wait until nobody is served any more."""
        self.mend()
        self._reset()
        await asyncio.gather(*self._serving)

    def _reset(self) -> None:
        for end in tuple(self._ends):
            end.transport.abort()


@contextlib.asynccontextmanager
async def wire(server: int | Path) -> AsyncIterator[tuple[Wire, int]]:
    """A wire to the server on this port or socket, and the port at which it begins."""
    made = Wire(server)
    listening = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    try:
        yield made, int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        await made.closed()
