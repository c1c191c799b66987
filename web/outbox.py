"""Sends what the outbox holds for other systems, and puts there what has happened since."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from activities.notices import NotDeliveredError
from activities.signed_post import post_signed
from practice.subscriptions import Message
from web.parts import Parts
from web.targets import refusal

log = structlog.get_logger()

LOOK_SECONDS = 1.0


async def run(parts: Parts) -> None:
    """Look again and again until cancelled; nothing to do where no target is allowed."""
    while parts.settings.webhook_targets:
        try:
            await send_due(parts)
        except IntegrityError:
            pass  # another process put the same into the outbox a moment earlier
        except SQLAlchemyError as error:
            log.warning("the outbox can't be read", error_type=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def send_due(parts: Parts) -> int:
    """Collect what happened, and send everything whose turn it is; how many were tried."""
    await parts.subscriptions.collect(parts.clock())
    messages = await parts.subscriptions.due(parts.clock())
    await asyncio.gather(*(_send(parts, message) for message in messages))
    return len(messages)


async def _send(parts: Parts, message: Message) -> None:
    told = parts.settings
    try:
        if refusal(told, message.url):  # the list of allowed targets may have become shorter
            raise NotDeliveredError("the target is not allowed any more", final=True)
        await post_signed(message.url, message.secrets, message.delivery_id, message.body, inside=told.webhook_inside)
    except NotDeliveredError as error:
        log.warning("an event was not taken", reason_code=str(error), attempt=message.attempts + 1)
        await parts.subscriptions.tried(message, str(error), parts.clock(), taken=False, final=error.final)
    else:
        await parts.subscriptions.tried(message, "taken", parts.clock(), taken=True)
