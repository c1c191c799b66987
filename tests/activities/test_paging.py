import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import signed_post
from activities.mail import Mailer
from activities.paging import Paging
from activities.referring import Referring
from activities.webhook import WebhookSender
from protocol.rota import Rota, parse_rota
from settings import Settings
from tests.activities.providers import MailServer, WebServer, free_port, mail_server, web_server
from workflows.ports import PAGE_ATTEMPTS, PageOrder, PageReport, ReferralOrder

SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()
AT = datetime(2026, 12, 1, 20, 5, tzinfo=UTC)
EPISODE = "5f0c1f0e-8b0e-4c57-9a35-2f9f7c1d1c11"
ROTA = parse_rota(
    {
        "people": [
            {"id": "maya", "name": "Maya", "roles": ["therapist"], "email": "maya@example.test"},
            {"id": "ruth", "name": "Ruth", "roles": ["supervisor"], "email": "ruth@example.test"},
            {"id": "noor", "name": "Noor", "roles": ["supervisor"], "email": "noor@example.test"},
        ],
        "leave": [{"person": "maya", "first": "2026-12-24", "last": "2026-12-26"}],
    }
)


class FixedRota:
    async def current(self) -> Rota:
        return ROTA


def order(**changes: Any) -> PageOrder:
    told: dict[str, Any] = {
        "episode_id": EPISODE,
        "page_id": "page-3",
        "obligation": "First follow-up contact",
        "due_at": AT + timedelta(minutes=15),
        "role": "supervisor",
        "person": "maya",
        "channels": ("email",),
        "at": AT,
    }
    return PageOrder(**{**told, **changes})


def settings(mail: MailServer | None = None, web: WebServer | None = None, **more: Any) -> Settings:
    told: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": mail.port if mail else free_port()}
    if web is not None:
        told |= {"webhook_url": web.url, "webhook_secret": SecretStr(SECRET), "webhook_inside": True}
    return Settings(**{**told, **more})


def paging(told: Settings) -> Paging:
    notifiers: dict[str, Any] = {"email": Mailer(told)}
    if told.webhook_url is not None:
        notifiers["webhook"] = WebhookSender(told)
    return Paging(FixedRota(), notifiers, "https://holdfast.example.test")


async def deliver(pages: Paging, page: PageOrder, attempt: int = 1, left: tuple[str, ...] = ()) -> PageReport:
    environment = ActivityEnvironment()
    environment.info = replace(ActivityEnvironment.default_info(), attempt=attempt, heartbeat_details=left)
    return await environment.run(pages.deliver_page, page)


async def test_every_supervisor_gets_a_mail_that_names_no_client():
    async with mail_server() as mail:
        report = await deliver(paging(settings(mail)), order())
        assert report == PageReport(delivered=True, recipients=("ruth", "noor"), detail="taken by email")
        assert sorted(str(message["To"]) for message in mail.received) == ["noor@example.test", "ruth@example.test"]
        message = mail.received[0]
        assert message["Subject"] == "First follow-up contact: due Tue 2026-12-01 12:20 PST"
        text = message.get_content()
        assert f"https://holdfast.example.test/episodes/{EPISODE}" in text
        assert "Until somebody does, the next person is paged" in text


async def test_the_same_page_keeps_its_message_id_however_often_it_is_sent():
    async with mail_server() as mail:
        pages = paging(settings(mail))
        await deliver(pages, order(role="owner"))
        await deliver(pages, order(role="owner"))
        first, second = mail.received
        assert first["Message-ID"] == second["Message-ID"] == f"<{EPISODE}.page-3.maya@localhost>"


async def test_a_drill_says_so():
    async with mail_server() as mail:
        await deliver(paging(settings(mail)), order(drill=True))
        assert str(mail.received[0]["Subject"]).startswith("DRILL: ")


async def test_nobody_on_shift_is_reported_at_once():
    report = await deliver(paging(settings()), order(role="owner", at=datetime(2026, 12, 25, 20, tzinfo=UTC)))
    assert report == PageReport(delivered=False, recipients=(), detail="nobody answers for owner now")


async def test_a_channel_that_is_not_set_up_is_reported():
    report = await deliver(paging(settings()), order(channels=("webhook",)))
    assert report == PageReport(delivered=False, recipients=(), detail="no provider is set up for webhook")


async def test_a_dead_mail_server_is_tried_again_and_reported_in_the_end():
    pages = paging(settings())
    with pytest.raises(ApplicationError, match="did not take the page") as failed:
        await deliver(pages, order())
    assert not failed.value.non_retryable
    report = await deliver(pages, order(), attempt=PAGE_ATTEMPTS)
    assert not report.delivered
    assert report.recipients == ()
    assert report.detail.startswith("no mail server: ")


async def test_a_refused_address_costs_nobody_else_the_page():
    async with mail_server() as mail:
        mail.refuse = lambda address: "550 unknown" if address.startswith("ruth") else None
        report = await deliver(paging(settings(mail)), order())
        assert report == PageReport(
            delivered=True, recipients=("noor",), detail="taken by email; the mail server refuses the address"
        )


async def test_a_second_attempt_sends_only_what_did_not_leave():
    async with mail_server() as mail, web_server() as web:
        web.answers = ["500 Oops"]
        pages = paging(settings(mail, web))
        both = order(channels=("email", "webhook"))
        with pytest.raises(ApplicationError):
            await deliver(pages, both)
        assert len(mail.received) == 2
        report = await deliver(pages, both, attempt=2, left=("email:noor", "email:ruth"))
        assert report == PageReport(delivered=True, recipients=("ruth", "noor"), detail="taken by email, webhook")
        assert (len(mail.received), len(web.received)) == (2, 2)


async def test_the_webhook_is_signed_and_keeps_its_id():
    async with web_server() as web:
        pages = paging(settings(web=web))
        await deliver(pages, order(channels=("webhook",)))
        await deliver(pages, order(channels=("webhook",)))
        first, second = web.received
        told = Webhook(SECRET).verify(first.body, first.headers)
        assert told["type"] == "page.requested"
        assert told["data"] == {
            "page_id": "page-3",
            "episode_id": EPISODE,
            "obligation": "First follow-up contact",
            "role": "supervisor",
            "due_at": "2026-12-01T20:20:00+00:00",
            "link": f"https://holdfast.example.test/episodes/{EPISODE}",
            "drill": False,
            "recipients": ["ruth", "noor"],
        }
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"{EPISODE}.page-3"
        assert first.path == "/hooks/holdfast"
        assert first.headers["host"] == f"127.0.0.1:{web.port}"


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("500 Oops", False),
        ("503 Busy", False),
        ("429 Slow down", False),
        ("408 Late", False),
        ("400 No", True),
        ("401 Who", True),
        ("410 Gone", True),
    ],
)
async def test_answers_of_the_webhook_are_understood(answer: str, final: bool):
    async with web_server() as web:
        web.answers = [answer]
        page = order(channels=("webhook",))
        if final:
            assert not (await deliver(paging(settings(web=web)), page)).delivered
        else:
            with pytest.raises(ApplicationError):
                await deliver(paging(settings(web=web)), page)


async def test_a_redirect_is_not_followed():
    async with web_server() as web, web_server() as elsewhere:
        web.answers = [f"307 Over there\r\nlocation: {elsewhere.url}"]
        report = await deliver(paging(settings(web=web)), order(channels=("webhook",)))
        assert (report.delivered, report.detail) == (False, "the webhook answers 307")
        assert elsewhere.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.7", "169.254.169.254", "[::1]", "0.0.0.0"])
async def test_addresses_inside_are_refused(host: str):
    async with web_server() as web:
        told = settings(web=web, webhook_inside=False, webhook_url=f"http://{host}:{web.port}/hook")
        report = await deliver(paging(told), order(channels=("webhook",)))
        assert report.detail == "the webhook's host leads to an address inside a private network"
        assert web.received == []


async def test_a_webhook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signed_post, "TIMEOUT_SECONDS", 0.1)
    async with web_server() as web:
        web.answers = ["hang"]
        report = await deliver(paging(settings(web=web)), order(channels=("webhook",)), attempt=PAGE_ATTEMPTS)
        assert not report.delivered
        assert report.detail.startswith("no answer from the webhook")


REFERRAL = ReferralOrder(episode_id=EPISODE, referral_id="referral-12", service="Partial hospitalization", at=AT)


async def test_a_referral_is_posted_by_reference_only():
    async with web_server() as web:
        referring = Referring(WebhookSender(settings(web=web)), "https://holdfast.example.test")
        assert await ActivityEnvironment().run(referring.request_referral, REFERRAL)
        (request,) = web.received
        told = Webhook(SECRET).verify(request.body, request.headers)
        assert told["type"] == "referral.requested"
        assert told["data"]["service"] == "Partial hospitalization"
        assert set(json.loads(request.body)["data"]) == {
            "referral_id", "episode_id", "service", "requested_at", "link", "drill", "recipients",
        }  # fmt: skip


async def test_a_refused_referral_is_final_and_a_failed_one_is_not():
    async with web_server() as web:
        web.answers = ["500 Oops", "410 Gone"]
        referring = Referring(WebhookSender(settings(web=web)), "https://holdfast.example.test")
        for final in (False, True):
            with pytest.raises(ApplicationError) as failed:
                await ActivityEnvironment().run(referring.request_referral, REFERRAL)
            assert failed.value.non_retryable is final


async def test_without_a_webhook_nothing_is_posted():
    assert not await ActivityEnvironment().run(Referring(None, "http://x").request_referral, REFERRAL)
