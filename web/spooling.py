"""Writes the looks that had to wait into the access trail, and tells people when that does not end."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from activities.channels import notifiers
from activities.notices import NotDeliveredError, Notice
from audit.sealing import SealingError
from protocol.rota import resolve
from web.parts import Parts

log = structlog.get_logger()

LOOK_SECONDS = 5.0
TELL_AGAIN = timedelta(hours=1)
TYPE = "access.waiting"
SUBJECT = "Looks at clients can't be written down"
TEXT = (
    "Holdfast's access trail takes no rows. Episodes still open, and who looked is kept in sealed files on the web\n"
    "server until it does. Check the records database and the disk. Don't delete those files.\n"
)


async def run(parts: Parts) -> None:
    """Try again and again until cancelled."""
    told_at: datetime | None = None
    while True:
        try:
            await parts.spool.write_into(parts.database)
        except (SQLAlchemyError, SealingError, OSError, ValueError) as error:
            log.error("looks wait for the access trail", error_type=type(error).__name__)
            now = parts.clock()
            if told_at is None or now - told_at >= TELL_AGAIN:
                told_at = now
                await tell(parts, now)
        await asyncio.sleep(LOOK_SECONDS)


async def tell(parts: Parts, now: datetime) -> None:
    """Tell those whom the watchdog would call. No client is named."""
    rota, role = await parts.rota.current(), parts.settings.watchdog_role
    people = resolve(rota, role, now) or [person for person in rota.people if role in person.roles]
    notice = Notice(f"{TYPE}.{now:%Y%m%dT%H%M}", TYPE, SUBJECT, TEXT, {"at": now.isoformat()})
    for name, channel in notifiers(parts.settings).items():
        try:
            await channel.deliver(notice, people)
        except NotDeliveredError as failure:
            log.error("nobody was told that looks wait", channel=name, reason_code=str(failure))
