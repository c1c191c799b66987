"""From the engine's effects to orders for the activities, and from their reports back to commands."""

from __future__ import annotations

from datetime import datetime

from protocol.commands import REPORT_ID, SYSTEM_ACTOR, SYSTEM_ROLE, ReportPage
from protocol.effects import Page, RequestReferral
from protocol.spec import LEVELS, ProtocolSpec
from workflows.ports import LATER, PageOrder, PageReport, ReferralOrder


def page_order(spec: ProtocolSpec, page: Page) -> PageOrder:
    """The order for a page that the engine asked for. The most urgent episode's page leaves first."""
    written = spec.obligations.get(page.obligation)
    return PageOrder(
        episode_id=page.episode_id,
        page_id=page.page_id,
        obligation=written.title if written else page.obligation,
        due_at=page.due_at,
        role=page.role,
        person=page.person,
        channels=page.channels,
        at=page.requested_at,
        drill=page.drill,
        urgency=LATER if page.drill else min(len(LEVELS) - page.urgency, LATER - 1),
    )


def referral_order(referral: RequestReferral) -> ReferralOrder:
    """The order for a referral that the engine asked for."""
    return ReferralOrder(
        referral.episode_id, referral.referral_id, referral.service, referral.requested_at, referral.drill
    )


def report_of(order: PageOrder, report: PageReport, now: datetime) -> ReportPage:
    """The command that tells the engine what became of a page."""
    return ReportPage(
        command_id=f"{REPORT_ID}{order.page_id}",
        actor=SYSTEM_ACTOR,
        role=SYSTEM_ROLE,
        occurred_at=now,
        page_id=order.page_id,
        delivered=report.delivered,
        recipients=report.recipients,
        detail=report.detail,
    )
