"""The embedded mail server: keeps every page as a file under `var/mail`. Run as `python -m cli.mailbox`."""

import asyncio
import os
import secrets
import signal
from datetime import UTC, datetime
from pathlib import Path

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

import logs
from settings import Settings, load

LARGEST_MAIL = 1_000_000
log = structlog.get_logger("mailbox")


class Mailbox:
    """Writes each mail to a file of its own; a reader never sees half a mail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with a received mail; the answer goes to the sender."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}"
        draft = self._folder / f".{name}"
        draft.write_bytes(envelope.original_content or b"")
        os.replace(draft, self._folder / f"{name}.eml")
        log.info("mail kept", count=len(envelope.rcpt_tos))
        return "250 kept"


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stopped.set)
    mailbox = Mailbox(settings.var / "mail")
    server = await loop.create_server(
        lambda: SMTP(mailbox, data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True, ident="Holdfast", loop=loop),
        settings.smtp_host,
        settings.smtp_port,
    )
    async with server:
        log.info("mailbox open", port=settings.smtp_port)
        await stopped.wait()


def main() -> None:
    """Entry point of the process."""
    settings = load()
    logs.configure(settings.log_level, settings.log_format)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
