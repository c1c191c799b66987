"""Notices as signed webhooks (Standard Webhooks) to the one address of the settings.

The address is resolved first and the connection made to what was checked, so that a name which
changes its mind can't lead inside the house. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from activities.notices import NotDeliveredError, Notice
from protocol.rota import Person
from settings import Settings

TIMEOUT_SECONDS = 10.0
TRY_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 after which the same request may succeed later."""


class WebhookSender:
    """Signs and posts. Made only when the settings name an address and a secret."""

    def __init__(self, settings: Settings) -> None:
        if settings.webhook_url is None or settings.webhook_secret is None:
            raise ValueError("no webhook: set HOLDFAST_WEBHOOK_URL and HOLDFAST_WEBHOOK_SECRET")
        self._url = httpx.URL(settings.webhook_url)
        self._inside_allowed = settings.webhook_inside
        self._signer = Webhook(settings.webhook_secret.get_secret_value())

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        """Post the notice once, naming the people by id. Raises NotDeliveredError."""
        body = self._body(notice, people)
        headers = self._headers(notice.key, body)
        status = await self._post(await self._checked_address(), headers, body)
        if not 200 <= status < 300:
            final = 300 <= status < 500 and status not in TRY_AGAIN
            raise NotDeliveredError(f"the webhook answers {status}", final=final)

    def _body(self, notice: Notice, people: Sequence[Person]) -> str:
        told = {**notice.data, "recipients": [person.id for person in people]}
        return json.dumps({"type": notice.type, "timestamp": datetime.now(UTC).isoformat(), "data": told})

    def _headers(self, key: str, body: str) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "content-type": "application/json",
            "host": self._url.netloc.decode(),
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(key, now, body),
        }

    async def _checked_address(self) -> str:
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._url.host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise NotDeliveredError("the webhook's host has no address", final=False) from None
        addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
        if not self._inside_allowed and not all(address.is_global for address in addresses):
            raise NotDeliveredError("the webhook's host leads to an address inside a private network", final=True)
        return str(addresses[0])

    async def _post(self, address: str, headers: dict[str, str], body: str) -> int:
        url = self._url.copy_with(host=address)
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
            request = client.build_request(
                "POST", url, headers=headers, content=body, extensions={"sni_hostname": self._url.host}
            )
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    answer = await client.send(request, stream=True)
                    await answer.aclose()
            except (httpx.HTTPError, TimeoutError) as error:
                raise NotDeliveredError(f"no answer from the webhook: {type(error).__name__}", final=False) from None
        return answer.status_code
