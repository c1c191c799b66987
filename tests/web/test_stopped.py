"""An episode whose workflow was ended in Temporal, or is gone: the pages say that it rings no more, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from cli.demo_seed import SESSION
from protocol_specs.loader import load_protocol
from tests.audit.records import owed, summary
from tests.web.desk import Desk, RealClock, desk
from tests.web.test_api_nouns import caller
from tests.web.test_board import known
from tests.web.test_episodes import did, facts, recorded, reported
from tests.workflows.stack import Stack, stack
from workflows.client import EngineUnavailableError, EpisodeStoppedError, EpisodeUnknownError, workflow_id
from workflows.reopening import reopened

SAID = "This episode is stopped: none of its deadlines rings"
MARK = "does not ring"


@pytest.fixture
async def ended(tmp_path: Path, temporal_port: int) -> AsyncIterator[tuple[Desk, Stack]]:
    """The application with an engine, and the way past it into Temporal."""
    async with (
        stack(tmp_path, temporal_port, worker_sandbox=False) as made,
        made.worker(),
        desk(tmp_path, made.settings, RealClock()) as opened,
    ):
        yield opened, made


async def heard(web: Desk, stopped: set[str]) -> None:
    """Wait until the web process has heard from Temporal which episodes were stopped."""
    async with asyncio.timeout(60):
        while web.parts.engine.stopped != stopped:
            await asyncio.sleep(0.05)


@pytest.mark.full
async def test_a_terminated_episode_is_told_on_its_page_the_board_and_the_queue(ended: tuple[Desk, Stack]):
    web, shell = ended
    async with web.signed_in("maya") as browser, web.signed_in("ruth") as supervisor:
        place = await reported(browser)
        episode_id = place.rpartition("/")[2]
        await recorded(web, place)
        for page in (await browser.get(place), await browser.get("/"), await supervisor.get("/board")):
            assert SAID not in page.text
            assert MARK not in page.text
        await shell.client.get_workflow_handle(workflow_id(episode_id)).terminate("a press on the wrong page")
        page = (await browser.get(place)).text
        assert SAID in page
        assert f"holdfast audit reconcile {episode_id}" in page
        await heard(web, {episode_id})
        assert MARK in (await browser.get("/")).text
        board = (await supervisor.get("/board")).text
        assert "1 open episode whose deadlines do not ring" in board
        assert MARK in board
        async with caller(web, "ruth") as http:
            assert (await http.get(f"/episodes/{episode_id}")).json()["stopped"] is True
            assert [one["episode_id"] for one in (await http.get("/board")).json()["silent"]] == [episode_id]


@pytest.mark.full
async def test_what_is_entered_into_a_stopped_episode_is_kept_and_an_emergency_shows_whom_to_call(
    ended: tuple[Desk, Stack],
):
    web, shell = ended
    async with web.signed_in("maya") as browser:
        place = await reported(browser)
        await did(browser, place, "complete-step", **facts(**SESSION))
        await recorded(web, place)
        page = (await browser.get(place)).text
        assert "Emergency: call now" not in page
        handle = shell.client.get_workflow_handle(workflow_id(place.rpartition("/")[2]))
        await handle.terminate("a press on the wrong page")
        answer = await did(browser, place, "add-addendum", refers_to="1", text="what I saw")
        assert answer.status_code == 503
        assert "Nothing was taken: this episode is stopped. What you typed is still here." in answer.text
        assert "what I saw</textarea>" in answer.text
        pressed = await browser.post(f"{place}/emergency", key="pressed-once")
        assert pressed.status_code == 503
        assert "Nothing was taken: this episode is stopped." in pressed.text
        order = ("This is not written down", "Emergency: call now", SAID)
        places = [pressed.text.index(one) for one in order]
        assert places == sorted(places), "whom to call comes before what explains it"
        assert "12 Kelp Lane, Unit 3, Oakland" in pressed.text[pressed.text.index("Emergency: call now") :]
        assert "Read aloud" in pressed.text


@pytest.mark.full
async def test_a_workflow_that_is_gone_is_told_as_long_as_its_episode_is_open(
    ended: tuple[Desk, Stack], monkeypatch: pytest.MonkeyPatch
):
    web, _ = ended
    async with web.signed_in("maya") as browser:
        place = await reported(browser)
        await recorded(web, place)

        async def gone(_: str) -> None:
            raise EpisodeUnknownError("there is no such episode")

        monkeypatch.setattr(web.parts.engine, "living", gone)
        assert SAID in (await browser.get(place)).text


@pytest.mark.full
async def test_an_episode_that_was_begun_anew_is_stopped_no_more(ended: tuple[Desk, Stack]):
    web, shell = ended
    async with web.signed_in("maya") as browser:
        place = await reported(browser)
        episode_id = place.rpartition("/")[2]
        await recorded(web, place)
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        started = await anew(shell, episode_id)
        await handle.terminate("a press on the wrong page")
        with pytest.raises(EpisodeStoppedError):
            await web.parts.engine.living(episode_id)
        await heard(web, {episode_id})
        await started()
        assert SAID not in (await browser.get(place)).text
        await heard(web, set())


async def anew(shell: Stack, episode_id: str) -> Callable[[], Awaitable[None]]:
    """Begins the episode from its trail, as `holdfast audit reconcile` does."""
    rows = await shell.rows(episode_id)
    spec = load_protocol(shell.settings.protocols / "virtual_iop_crisis.yaml")

    async def start() -> None:
        await shell.episodes.reopen(reopened(rows, {spec.content_hash: spec}))

    return start


async def test_a_stopped_episode_does_not_make_the_queues_of_others_out_of_date(web: Desk):
    late = owed(due_at=web.clock() - timedelta(minutes=2), owner="sam", next_page_at=None)
    await known(web, summary(1, "of-sam", owner="sam", obligations=(late,)))
    async with web.signed_in("maya") as browser:
        web.parts.engine.silent_since = None
        assert "Not up to date" in (await browser.get("/")).text
        web.parts.engine.silent_since, web.parts.engine.stopped = None, frozenset({"of-sam"})
        assert "Not up to date" not in (await browser.get("/")).text
    async with web.signed_in("sam") as browser:
        assert MARK in (await browser.get("/")).text


async def test_what_came_due_and_rang_nowhere_marks_its_row(web: Desk):
    now = web.clock()
    soon, rung = now + timedelta(minutes=9), now - timedelta(minutes=20)
    missed = owed(due_at=rung, owner="maya", missed=True, rung=1, next_page_at=soon)
    silent = owed(due_at=now - timedelta(minutes=2), owner="maya", next_page_at=None)
    unpaged = owed(due_at=rung, owner="maya", missed=True, rung=1, next_page_at=now - timedelta(minutes=2))
    await known(
        web,
        summary(1, "seen-to", client_ref="client-1", owner="maya", obligations=(missed,)),
        summary(1, "passed", client_ref="client-2", owner="maya", obligations=(silent,)),
        summary(1, "unpaged", client_ref="client-3", owner="maya", obligations=(unpaged,)),
    )
    async with web.signed_in("ruth") as browser, web.signed_in("maya") as therapist:
        board, queue = (await browser.get("/board")).text, (await therapist.get("/")).text
    assert "2 open episodes whose deadlines do not ring" in board
    assert board.count(MARK) == queue.count(MARK) == 2
    for page in (board, queue):
        rows = page[page.index("<tbody") : page.index("</tbody>")].split("<tr")[1:]
        marked = {one: MARK in row for one in ("seen-to", "passed", "unpaged") for row in rows if f"/{one}" in row}
        assert marked == {"seen-to": False, "passed": True, "unpaged": True}


@pytest.mark.full
async def test_while_temporal_does_not_answer_no_episode_is_called_gone(
    ended: tuple[Desk, Stack], monkeypatch: pytest.MonkeyPatch
):
    _, shell = ended

    async def away(*_: object, **__: object) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(WorkflowHandle, "describe", away)
    with pytest.raises(EngineUnavailableError):
        await shell.episodes.view("of-no-workflow")
