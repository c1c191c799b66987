"""A mail server on loopback that remembers when each episode's first page came."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(rb"/episodes/([0-9a-f-]{36})")


class Sink:
    """Episode id to the moment of its first page, in seconds since 1970."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with a received mail."""
        found = _LINK.search(bytes(envelope.content or b""))
        if found is not None:
            self.arrived.setdefault(found[1].decode(), time.time())
        return "250 kept"


@asynccontextmanager
async def sink(port: int) -> AsyncIterator[Sink]:
    """Listen on the port of the loopback."""
    loop, here = asyncio.get_running_loop(), Sink()
    server = await loop.create_server(lambda: SMTP(here, loop=loop), "127.0.0.1", port, backlog=1_000)
    async with server:
        yield here
