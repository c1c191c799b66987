"""Notices as signed webhooks (Standard Webhooks) to the one address of the settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from activities.notices import Notice
from activities.signed_post import post_signed
from protocol.rota import Person
from settings import Settings


class WebhookSender:
    """Signs and posts. Made only when the settings name an address and a secret."""

    def __init__(self, settings: Settings) -> None:
        if settings.webhook_url is None or settings.webhook_secret is None:
            raise ValueError("no webhook: set HOLDFAST_WEBHOOK_URL and HOLDFAST_WEBHOOK_SECRET")
        self._url: str = settings.webhook_url
        self._inside = settings.webhook_inside
        self._secret = settings.webhook_secret

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        """Post the notice once, naming the people by id. Raises NotDeliveredError."""
        told = {**notice.data, "recipients": [person.id for person in people]}
        body = json.dumps({"type": notice.type, "timestamp": datetime.now(UTC).isoformat(), "data": told})
        await post_signed(self._url, [self._secret.get_secret_value()], notice.key, body, inside=self._inside)
