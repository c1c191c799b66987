"""Telling staff by the ways that pages go: what happened, never about whom."""

from __future__ import annotations

import structlog

from activities.channels import notifiers
from activities.notices import NotDeliveredError, Notice
from protocol.rota import resolve
from web.parts import Parts

log = structlog.get_logger()

MOST_PEOPLE = 5


async def tell_supervisors(parts: Parts, notice: Notice, but: str = "") -> bool:
    """Tell whoever supervises now, or with nobody on shift all supervisors; True when a way took it. Never raises."""
    rota, now = await parts.rota.current(), parts.clock()
    people = resolve(rota, "supervisor", now) or [one for one in rota.people if "supervisor" in one.roles]
    people = [one for one in people if one.id != but][:MOST_PEOPLE]
    told = False
    for name, channel in notifiers(parts.settings).items() if people else ():
        try:
            await channel.deliver(notice, people)
            told = True
        except NotDeliveredError as error:
            log.error("supervisors were not told", channel=name, reason_code=str(error))
    return told
