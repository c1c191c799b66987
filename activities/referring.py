"""Referrals: a service is asked for a place, by reference only."""

from __future__ import annotations

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.notices import NotDeliveredError, Notice, Notifier
from workflows.ports import REQUEST_REFERRAL, ReferralOrder

log = structlog.get_logger()


class Referring:
    """The activity `request_referral`; without a webhook in the settings a person alone does the asking."""

    def __init__(self, webhook: Notifier | None, base_url: str) -> None:
        self._webhook = webhook
        self._base_url = base_url

    @activity.defn(name=REQUEST_REFERRAL)
    async def request_referral(self, order: ReferralOrder) -> bool:
        """Post the request; True when the service's system took it. That is no answer from the service."""
        if self._webhook is None:
            return False
        try:
            await self._webhook.deliver(_notice(order, self._base_url), ())
        except NotDeliveredError as failure:
            log.warning("referral not taken", channel="webhook", reason_code=str(failure))
            raise ApplicationError(
                "the webhook did not take the referral", type="ProviderUnavailable", non_retryable=failure.final
            ) from None
        return True


def _notice(order: ReferralOrder, base_url: str) -> Notice:
    link = f"{base_url}/episodes/{order.episode_id}"
    return Notice(
        key=f"{order.episode_id}.{order.referral_id}",
        type="referral.requested",
        subject=f"Referral to {order.service}",
        text=link,
        data={
            "referral_id": order.referral_id,
            "episode_id": order.episode_id,
            "service": order.service,
            "requested_at": order.at.isoformat(),
            "link": link,
            "drill": order.drill,
        },
    )
