"""One signed POST (Standard Webhooks) to somebody outside.

The address is resolved first and the connection made to what was checked, so that a name which
changes its mind can't lead inside the house. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from activities.notices import NotDeliveredError

TIMEOUT_SECONDS = 10.0
TRY_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 after which the same request may succeed later."""


async def post_signed(address: str, secrets: Sequence[str], key: str, body: str, *, inside: bool) -> None:
    """Post a JSON body once, signed with each secret. Raises NotDeliveredError.

    `inside`: private and loopback addresses may be meant.
    """
    url, now = httpx.URL(address), datetime.now(UTC)
    signatures = [Webhook(secret).sign(key, now, body) for secret in secrets]
    headers = {
        "content-type": "application/json",
        "host": url.netloc.decode(),
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    status = await _post(url, await _checked(url, inside=inside), headers, body)
    if not 200 <= status < 300:
        final = 300 <= status < 500 and status not in TRY_AGAIN
        raise NotDeliveredError(f"the webhook answers {status}", final=final)


async def _checked(url: httpx.URL, *, inside: bool) -> str:
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NotDeliveredError("the webhook's host has no address", final=False) from None
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not inside and not all(address.is_global for address in addresses):
        raise NotDeliveredError("the webhook's host leads to an address inside a private network", final=True)
    return str(addresses[0])


async def _post(url: httpx.URL, address: str, headers: dict[str, str], body: str) -> int:
    to = url.copy_with(host=address)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
        request = client.build_request("POST", to, headers=headers, content=body, extensions={"sni_hostname": url.host})
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await client.send(request, stream=True)
                await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise NotDeliveredError(f"no answer from the webhook: {type(error).__name__}", final=False) from None
    return answer.status_code
