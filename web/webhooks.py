"""Webhooks for other systems: who is told what, what became of each message, a message to try it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit.access import Access, record
from practice.subscriptions import NAMES, SubscriptionError
from web.errors import NotThere
from web.forms import fields_of
from web.guard import MOST_FIELDS, May, Visit
from web.pages import page
from web.targets import refusal

router = APIRouter(include_in_schema=False)
Manager = Annotated[Visit, Depends(May("webhook.manage"))]
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
MessageId = Annotated[str, Path(pattern=r"^msg_[0-9a-f]{32}$")]
SAID = {
    "ended": "It is told nothing more.",
    "pinged": "A message to try it is on its way. What became of it stands below in a moment.",
    "again": "It is tried again now.",
}


@router.get("/webhooks")
async def webhooks(request: Request, visit: Manager, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Everybody who is told."""
    return await shown(request, visit, flash=SAID.get(said))


@router.post("/webhooks")
async def add(request: Request, visit: Manager) -> Response:
    """Tell another system; its secret is shown this once."""
    form = fields_of((await request.form(max_files=0, max_fields=MOST_FIELDS)).multi_items())
    url, events = form.get("url", [""])[0].strip(), form.get("events", [])
    try:
        _, secret = await subscribed(visit, url, events)
    except SubscriptionError as error:
        return await shown(request, visit, url=url, events=events, error=str(error))
    return await shown(request, visit, secret=secret)


@router.get("/webhooks/{subscription_id}")
async def messages(
    request: Request, visit: Manager, subscription_id: Id, said: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """What became of the latest messages of one."""
    known = {one.subscription_id: one for one in await visit.parts.subscriptions.listed()}
    if subscription_id not in known:
        raise NotThere
    found = await visit.parts.subscriptions.deliveries(subscription_id)
    return await page(request, "webhook.html", one=known[subscription_id], messages=found, flash=SAID.get(said))


@router.post("/webhooks/{subscription_id}/{act}")
async def change(
    request: Request, visit: Manager, subscription_id: Id, act: Literal["rotate", "ping", "end"]
) -> Response:
    """A new secret, a message to try it, or the end."""
    try:
        match act:
            case "rotate":
                return await shown(request, visit, secret=await rotated(visit, subscription_id))
            case "ping":
                await visit.parts.subscriptions.ping(subscription_id, visit.parts.clock())
                return RedirectResponse(f"/webhooks/{subscription_id}?said=pinged", 303)
            case "end":
                await ended(visit, subscription_id)
                return RedirectResponse("/webhooks?said=ended", 303)
    except SubscriptionError:
        raise NotThere from None


@router.post("/webhooks/{subscription_id}/messages/{message_id}/again")
async def again(visit: Manager, subscription_id: Id, message_id: MessageId) -> Response:
    """Try one anew that was given up."""
    try:
        await visit.parts.subscriptions.again(message_id, visit.parts.clock())
    except SubscriptionError:
        raise NotThere from None
    return RedirectResponse(f"/webhooks/{subscription_id}?said=again", 303)


async def subscribed(visit: Visit, url: str, events: list[str]) -> tuple[str, str]:
    """Make a subscription: its id and its secret. Raises SubscriptionError."""
    if why := refusal(visit.parts.settings, url):
        raise SubscriptionError(why)
    await _noted(visit, "subscribed", {"events": sorted(events)[:20]})
    return await visit.parts.subscriptions.add(url, events, visit.actor.account_id, visit.parts.clock())


async def rotated(visit: Visit, subscription_id: str) -> str:
    """A new secret. Raises SubscriptionError."""
    await _noted(visit, "rotated", {"subscription": subscription_id})
    return await visit.parts.subscriptions.rotate(subscription_id, visit.parts.clock())


async def ended(visit: Visit, subscription_id: str) -> None:
    """Tell it nothing more. Raises SubscriptionError."""
    await _noted(visit, "unsubscribed", {"subscription": subscription_id})
    await visit.parts.subscriptions.end(subscription_id, visit.parts.clock())


async def shown(
    request: Request,
    visit: Visit,
    *,
    url: str = "",
    events: list[str] | None = None,
    error: str = "",
    secret: str = "",
    flash: str | None = None,
) -> Response:
    """The page with what was typed, or a secret that was just made."""
    return await page(
        request,
        "webhooks.html",
        status=422 if error else 200,
        subscriptions=await visit.parts.subscriptions.listed(),
        names=NAMES,
        targets=visit.parts.settings.webhook_targets,
        url=url,
        chosen=events or [],
        error=error,
        secret=secret,
        flash=flash,
    )


async def _noted(visit: Visit, act: str, more: dict[str, object]) -> None:
    now, actor = visit.parts.clock(), visit.actor
    look = Access(now, actor.account_id, actor.roles[0], "administered", "webhook", detail={"act": act, **more})
    await record(visit.parts.database, look)
