"""What the web application clears away by itself: nothing of an episode, only what has ended and says nothing more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from web.parts import Parts

log = structlog.get_logger()

EVERY_SECONDS = 600.0
MESSAGES_FOR = timedelta(days=30)
"""What became of a message to another system is shown for so long."""
KEPT_FOR = timedelta(days=1)
"""An ended session is known for so long, so that a form which outlived it goes back to the right person."""


async def keep_house(parts: Parts) -> None:
    """Clear away now and every ten minutes until cancelled."""
    while True:
        try:
            await tidy(parts)
        except SQLAlchemyError as error:
            log.warning("nothing was cleared away", error_type=type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def tidy(parts: Parts) -> None:
    """Drop sessions that ended, calls answered and reports taken up long ago, and files that nobody fetched."""
    await asyncio.to_thread(parts.errands.sweep, parts.clock())
    before = parts.clock() - KEPT_FOR
    await parts.sessions.forget(before)
    await parts.calls.forget(before)
    await parts.reports.forget(before)
    await parts.subscriptions.forget(parts.clock() - MESSAGES_FOR)
