"""Webhooks through the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from starlette.requests import Request
from starlette.responses import JSONResponse

from practice.subscriptions import SubscriptionError
from web.api_bodies import WEBHOOK, takes
from web.api_commands import given
from web.api_guard import Problem, body_of, call
from web.api_routes import Key, api_router
from web.errors import NotThere
from web.guard import Visit
from web.webhooks import Id, MessageId, ended, rotated, subscribed

router = api_router()
Manager = Annotated[Visit, call("webhook.manage")]


@router.get("/webhooks")
async def webhooks(visit: Manager) -> JSONResponse:
    """Everybody who is told what happens."""
    return given([asdict(one) for one in await visit.parts.subscriptions.listed()])


@router.post("/webhooks", status_code=201, openapi_extra=takes("WebhookBody"))
async def add_webhook(request: Request, visit: Manager, key: Key) -> JSONResponse:
    """Tell another system; its secret is in this answer and in no other."""
    body = await body_of(request, WEBHOOK)
    try:
        subscription_id, secret = await subscribed(visit, body.url, list(body.events))
    except SubscriptionError as error:
        raise Problem(422, str(error).capitalize(), "Change what is named and send it again.") from None
    return JSONResponse({"subscription_id": subscription_id, "secret": secret}, 201)


@router.get("/webhooks/{subscription_id}/messages")
async def messages(visit: Manager, subscription_id: Id) -> JSONResponse:
    """What became of its latest messages."""
    return given([asdict(one) for one in await visit.parts.subscriptions.deliveries(subscription_id)])


@router.post("/webhooks/{subscription_id}/messages/{message_id}/again")
async def again(visit: Manager, subscription_id: Id, message_id: MessageId, key: Key) -> JSONResponse:
    """Try one anew that was given up."""
    try:
        await visit.parts.subscriptions.again(message_id, visit.parts.clock())
    except SubscriptionError:
        raise NotThere from None
    return JSONResponse({"message_id": message_id})


@router.post("/webhooks/{subscription_id}/rotate")
async def rotate(visit: Manager, subscription_id: Id, key: Key) -> JSONResponse:
    """A new secret; the former one signs as well for a day."""
    try:
        return JSONResponse({"secret": await rotated(visit, subscription_id)})
    except SubscriptionError:
        raise NotThere from None


@router.post("/webhooks/{subscription_id}/ping")
async def ping(visit: Manager, subscription_id: Id, key: Key) -> JSONResponse:
    """Put a message for trying it into the outbox."""
    try:
        return JSONResponse({"message_id": await visit.parts.subscriptions.ping(subscription_id, visit.parts.clock())})
    except SubscriptionError:
        raise NotThere from None


@router.delete("/webhooks/{subscription_id}")
async def end(visit: Manager, subscription_id: Id, key: Key) -> JSONResponse:
    """Tell it nothing more."""
    try:
        await ended(visit, subscription_id)
    except SubscriptionError:
        raise NotThere from None
    return JSONResponse({"ended": True})
