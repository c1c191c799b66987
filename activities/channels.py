"""The ways to reach people that the settings provide."""

from __future__ import annotations

from collections.abc import Mapping

from activities.mail import Mailer
from activities.notices import Notifier
from activities.webhook import WebhookSender
from settings import Settings


def notifiers(settings: Settings) -> Mapping[str, Notifier]:
    """Each channel by its name in a ladder's rung."""
    found: dict[str, Notifier] = {"email": Mailer(settings)}
    if settings.webhook_url is not None:
        found["webhook"] = WebhookSender(settings)
    return found
