"""Real receiving ends on loopback: a mail server and a web server that write down what they get."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class MailServer:
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    refuse: Callable[[str], str | None] = lambda _address: None
    """An SMTP answer for an address that is not taken."""

    async def handle_RCPT(self, _server: object, _session: object, envelope: Envelope, address: str, _o: object) -> str:
        if (answer := self.refuse(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"


@contextlib.asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    handler = MailServer()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler, hostname="mail"), "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class WebServer:
    port: int = 0
    received: list[Request] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """Status lines and headers to answer with, in turn; then 200. `hang` never answers."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        self.received.append(Request(first.split()[1], headers, body))
        answer = self.answers.pop(0) if self.answers else "200 OK"
        if answer == "hang":
            await reader.read()
        else:
            writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/holdfast"


@contextlib.asynccontextmanager
async def web_server() -> AsyncIterator[WebServer]:
    handler = WebServer()
    server = await asyncio.start_server(handler.handle, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()
