"""Pages through the real server to a real mail server and a real web server."""

import asyncio
from collections import Counter

import pytest
from standardwebhooks import Webhook

import worker
from protocol.commands import DeclareEmergency
from protocol.summary import PageSummary
from protocol.trail import TrailRow
from tests.activities.providers import mail_server, web_server
from tests.activities.test_paging import SECRET, paging, settings
from tests.workflows.stack import Stack, brisk, command, opening

pytestmark = pytest.mark.full


async def reports(shell: Stack, episode_id: str, count: int) -> list[TrailRow]:
    """The first page reports of an episode, once so many are recorded."""
    async with asyncio.timeout(60):
        while True:
            rows = await shell.recorded(episode_id)
            found = [row for row in rows if row.kind == "PageReported"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.2)


async def test_a_retry_sends_only_by_the_channel_that_failed(shell: Stack):
    async with mail_server() as mail, web_server() as web:
        web.answers = ["500 Oops", "503 Later"]
        async with shell.worker(paging(settings(mail, web))):
            told = opening()
            await shell.episodes.open(brisk("email", "webhook"), told)
            await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
            await reports(shell, told.episode_id, 4)
        mails = Counter(str(message["Message-ID"]) for message in mail.received)
        assert set(mails.values()) == {1}, "no mail was sent twice"
        posts = Counter(request.headers["webhook-id"] for request in web.received)
        assert sorted(posts.values())[-1] > 1, "the webhook was tried again"
        for request in web.received:
            Webhook(SECRET).verify(request.body, request.headers)


async def test_nobody_on_shift_makes_the_ladder_climb_at_once(shell: Stack):
    async with mail_server() as mail, shell.worker(paging(settings(mail))):
        told = opening(owner="nobody_known")
        await shell.episodes.open(brisk(), told)
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        first, *_ = await reports(shell, told.episode_id, 3)
        assert first.payload is not None
        assert first.payload["event"]["delivered"] is False
        assert first.payload["event"]["detail"] == "nobody answers for owner now"
        assert {str(message["To"]) for message in mail.received} >= {"ruth@example.test", "noor@example.test"}


async def test_while_the_provider_is_dead_the_ladder_goes_round_and_then_somebody_is_told(shell: Stack):
    """Its last rung would repeat in eight hours; every rung is burnt before the provider is back."""
    shell.pager.dead = True
    spec = brisk(repeat="8h")
    rungs = len(spec.ladders["minutes"].rungs)
    async with shell.worker():
        told = opening()
        await shell.episodes.open(spec, told)
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        help_pages = "emergency_help-1"
        async with asyncio.timeout(60):
            while sum(page.obligation_id == help_pages for page in await pages_of(shell, told.episode_id)) < 2 * rungs:
                await asyncio.sleep(0.2)
        shell.pager.dead = False
        async with asyncio.timeout(60):
            while not any(page.delivered for page in await pages_of(shell, told.episode_id, help_pages)):
                await asyncio.sleep(0.2)
        await shell.recorded(told.episode_id)


async def pages_of(shell: Stack, episode_id: str, obligation_id: str | None = None) -> list[PageSummary]:
    """The pages of an episode as the records list them."""
    found = await shell.queries.pages(episode_id, limit=1000)
    return [page for page in found if obligation_id in (None, page.obligation_id)]


async def test_the_most_urgent_page_leaves_first(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    """Pages pile up while nobody delivers; then those of the imminent episode, asked for last, leave first."""
    calm, urgent = [opening() for _ in range(8)], opening()
    async with worker.episode_worker(shell.client, shell.settings, []):
        for told in (*calm, urgent):
            await shell.episodes.open(brisk(), told)
        await shell.episodes.submit(urgent.episode_id, command(DeclareEmergency))
        waiting = len((await shell.episodes.view(urgent.episode_id)).pages)
    monkeypatch.setattr(worker, "MOST_ACTIVITIES", 1)
    async with shell.worker():
        while len(shell.pager.pages) < len(calm) + waiting:
            await asyncio.sleep(0.1)
    assert {page.episode_id for page in shell.pager.pages[: waiting - 1]} == {urgent.episode_id}
