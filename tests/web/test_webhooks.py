"""Webhooks out: signed, tried again, never to a place that is not allowed, never with anything about a client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from practice.subscriptions import OVERLAP, WAITS
from tests.web.desk import Desk, desk, hidden
from tests.web.recorded import recorded
from tests.workflows.stack import free_port, settings_for
from web.housekeeping import tidy
from web.outbox import send_due
from web.targets import refusal


@dataclass
class Receiver:
    """Another system: keeps what it was sent and answers as it is told to."""

    port: int = field(default_factory=free_port)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list[tuple[dict[str, str], str]])
    status: int = 204
    location: str = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/events"


@contextlib.contextmanager
def listening() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            if made.location:
                self.send_header("location", made.location)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", made.port), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def other() -> Iterator[Receiver]:
    with listening() as made:
        yield made


@pytest.fixture
async def house(tmp_path: Path, other: Receiver) -> AsyncIterator[Desk]:
    async with desk(tmp_path, settings_for(tmp_path, free_port(), webhook_inside=True)) as made:
        # allowed only now, so that the application's own loop stays away: the test sends by itself
        made.parts.settings.__dict__["webhook_targets"] = (other.host,)
        yield made


async def subscribed(web: Desk, other: Receiver, *events: str) -> tuple[str, str]:
    return await web.parts.subscriptions.add(other.url, events or ("episode.opened",), "abel", web.clock())


async def test_what_happens_is_told_once_signed_and_without_a_client(house: Desk, other: Receiver):
    house.clock.now -= timedelta(days=3_650)  # the scenario plays on days of its own
    events = ("episode.opened", "episode.risk_raised", "episode.stage_entered", "episode.closed")
    _, secret = await subscribed(house, other, *events)
    episode = await recorded(house, "led_through_all_stages")
    while await send_due(house.parts):
        pass
    assert await send_due(house.parts) == 0, "nothing is told twice"
    said = [Webhook(secret).verify(body, headers) for headers, body in other.got]
    assert {one["type"] for one in said} <= set(events)
    assert said[0] == json.loads(other.got[0][1])
    assert sum(one["type"] == "episode.opened" for one in said) == 1
    for one in said:
        assert set(one) == {"type", "timestamp", "data"}
        assert set(one["data"]) == {"episode_id", "sequence", "drill"}
    assert episode.client_ref not in str(other.got)
    ids = [headers["webhook-id"] for headers, _ in other.got]
    assert len(set(ids)) == len(ids)


async def test_what_was_before_a_subscription_is_not_told(house: Desk, other: Receiver):
    await recorded(house, "led_through_all_stages")
    house.clock.goes_on(timedelta(days=3_650))  # the scenario plays on days of its own
    await subscribed(house, other)
    assert await send_due(house.parts) == 0


async def test_a_message_is_tried_again_and_given_up_in_the_end(house: Desk, other: Receiver):
    subscription, _ = await subscribed(house, other)
    await house.parts.subscriptions.ping(subscription, house.clock())
    other.status = 500
    for wait in WAITS:
        assert await send_due(house.parts) == 1
        assert await send_due(house.parts) == 0, "not before its time"
        house.clock.goes_on(wait)
    assert await send_due(house.parts) == 1
    house.clock.goes_on(timedelta(days=7))
    assert await send_due(house.parts) == 0
    (one,) = await house.parts.subscriptions.deliveries(subscription)
    assert (one.attempts, one.next_at, one.answer) == (len(WAITS) + 1, None, "the webhook answers 500")
    assert len({headers["webhook-id"] for headers, _ in other.got}) == 1, "the same message each time"
    other.status = 204
    await house.parts.subscriptions.again(one.delivery_id, house.clock())
    assert await send_due(house.parts) == 1
    (one,) = await house.parts.subscriptions.deliveries(subscription)
    assert one.delivered_at is not None
    house.clock.goes_on(timedelta(days=31))
    await tidy(house.parts)
    assert await house.parts.subscriptions.deliveries(subscription) == ()


async def test_a_redirect_is_not_followed(house: Desk, other: Receiver):
    with listening() as inside:
        subscription, _ = await subscribed(house, other)
        other.status, other.location = 302, inside.url
        await house.parts.subscriptions.ping(subscription, house.clock())
        assert await send_due(house.parts) == 1
        assert inside.got == []
    (one,) = await house.parts.subscriptions.deliveries(subscription)
    assert (one.next_at, one.answer) == (None, "the webhook answers 302")


async def test_a_private_address_is_refused_unless_it_is_meant(house: Desk, other: Receiver):
    subscription, _ = await subscribed(house, other)
    await house.parts.subscriptions.ping(subscription, house.clock())
    told = house.parts.settings.__dict__
    told["webhook_targets"] = (other.host, f"localhost:{other.port}")
    told["webhook_inside"] = False
    await send_due(house.parts)
    assert other.got == [], "plain http goes inside the house only"
    https = f"https://localhost:{other.port}/x"
    assert refusal(house.parts.settings, https) == ""
    named, _ = await house.parts.subscriptions.add(https, ["episode.opened"], "abel", house.clock())
    await house.parts.subscriptions.ping(named, house.clock())
    await send_due(house.parts)
    (one,) = await house.parts.subscriptions.deliveries(named)
    assert "inside a private network" in one.answer
    assert one.next_at is None


async def test_a_target_that_is_not_allowed_any_more_gets_nothing(house: Desk, other: Receiver):
    subscription, _ = await subscribed(house, other)
    await house.parts.subscriptions.ping(subscription, house.clock())
    house.parts.settings.__dict__["webhook_targets"] = ("elsewhere.example",)
    await send_due(house.parts)
    assert other.got == []


async def test_a_new_secret_signs_beside_the_former_one_for_a_day(house: Desk, other: Receiver):
    subscription, former = await subscribed(house, other)
    fresh = await house.parts.subscriptions.rotate(subscription, house.clock())
    await house.parts.subscriptions.ping(subscription, house.clock())
    await send_due(house.parts)
    headers, body = other.got[-1]
    for secret in (former, fresh):
        Webhook(secret).verify(body, headers)
    house.clock.goes_on(OVERLAP + timedelta(minutes=1))
    await house.parts.subscriptions.ping(subscription, house.clock())
    await send_due(house.parts)
    headers, body = other.got[-1]
    Webhook(fresh).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(body, headers)
    assert fresh.encode() not in (house.settings.var / "records.db").read_bytes()


async def test_an_administrator_subscribes_tries_rotates_and_ends_it(house: Desk, other: Receiver):
    async with house.signed_in("abel") as browser:
        page = await browser.get("/webhooks")
        assert other.host in page.text
        refused = await browser.post("/webhooks", url="https://evil.example/x", events="episode.opened")
        assert refused.status_code == 422
        assert "https://evil.example/x" in refused.text, "what was typed is kept"
        made = await browser.post("/webhooks", url=other.url, events=["episode.opened", "episode.closed"])
        assert "whsec_" in made.text
        (one,) = await house.parts.subscriptions.listed()
        place = f"/webhooks/{one.subscription_id}"
        assert "whsec_" not in (await browser.get("/webhooks")).text
        assert (await browser.post(f"{place}/ping")).headers["location"] == f"{place}?said=pinged"
        await send_due(house.parts)
        assert "taken" in (await browser.get(place)).text
        assert "whsec_" in (await browser.post(f"{place}/rotate")).text
        assert (await browser.post(f"{place}/end")).status_code == 303
        assert (await browser.post(f"{place}/ping")).status_code == 404
        assert hidden(page.text, "form_token")
    assert await house.parts.subscriptions.listed() == ()
    async with house.signed_in("ruth") as browser:
        assert (await browser.get("/webhooks")).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://events.example", "https://events.example@evil.example", "https://evil.example#events.example"),
        *("https://events.example.evil.example", "http://events.example", "https://events.example:444/", "x", "", "//"),
        *("https://[::1", "https://events.example/ x", f"https://events.example/{'x' * 400}"),
    ],
)
def test_an_address_that_is_not_on_the_list_is_refused(tmp_path: Path, url: str):
    told: Any = settings_for(tmp_path, 1, webhook_targets=("events.example",))
    assert refusal(told, url)
    assert refusal(told, "https://events.example/hook?a=1") == ""
