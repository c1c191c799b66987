"""Records that stay away, and people who go on writing: the episode neither freezes nor loses a row or a deadline."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from protocol.commands import Acknowledge, AddAddendum, DeclareEmergency, RecordContact
from tests.workflows.stack import Stack, brisk, command, free_port, opening, stack, temporal_server
from workflows import carrying, episode_workflow
from workflows.client import HeldUpError, workflow_id
from workflows.messages import EpisodeView

pytestmark = pytest.mark.full

SERVER_TAKES = 200_000
"""Bytes of a message, in place of 2 MiB."""
EDGE = SERVER_TAKES - 10_000


@pytest.fixture(scope="module")
def narrow_port() -> Iterator[int]:
    port = free_port()
    with temporal_server(port, None, f"limit.blobSize.error={SERVER_TAKES}"):
        yield port


@pytest.fixture
async def narrow(tmp_path: Path, narrow_port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    """A server that takes little in one message; runs end early."""
    monkeypatch.setattr(carrying, "LARGEST_INPUT", EDGE)
    monkeypatch.setattr(episode_workflow, "LARGEST_INPUT", EDGE)
    monkeypatch.setattr(carrying, "LARGEST_RECEIPTS", 20_000)
    monkeypatch.setattr(episode_workflow, "ENOUGH_EVENTS", 40)
    async with stack(tmp_path, narrow_port) as made:
        yield made


def long_text() -> str:
    """Nothing makes it shorter."""
    return base64.b64encode(os.urandom(2900)).decode()


async def until(shell: Stack, episode_id: str, what: Any) -> EpisodeView:
    async with asyncio.timeout(60):
        while not what(view := await shell.episodes.view(episode_id)):
            await asyncio.sleep(0.1)
    return view


async def runs(client: Client, episode_id: str) -> int:
    return len([run async for run in client.list_workflows(f"WorkflowId = '{workflow_id(episode_id)}'")])


async def test_more_than_a_run_can_be_handed_waits_and_nothing_freezes(narrow: Stack):
    async with narrow.worker():
        told = opening()
        await narrow.episodes.open(brisk(), told)
        await narrow.recorded(told.episode_id)
        narrow.records.away = True
        await write_on(narrow, told.episode_id, 60)
        await narrow.episodes.submit(told.episode_id, command(DeclareEmergency))
        view = await until(
            narrow, told.episode_id, lambda view: any(o.missed for o in view.episode.obligations.values())
        )
        assert view.unrecorded > 60
        narrow.records.away = False
        rows = await narrow.recorded(told.episode_id)
        assert sum(row.kind == "AddendumAdded" for row in rows) == 60
        assert "DeadlineMissed" in {row.kind for row in rows}
        before = await runs(narrow.client, told.episode_id)
        while await runs(narrow.client, told.episode_id) == before:
            await narrow.episodes.submit(told.episode_id, command(AddAddendum, refers_to=1, text="short"))


async def write_on(shell: Stack, episode_id: str, times: int) -> None:
    for _ in range(times):
        await shell.episodes.submit(episode_id, command(AddAddendum, refers_to=1, text=long_text()))


async def test_a_run_that_is_full_takes_what_nobody_may_be_refused(narrow: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episode_workflow, "MOST_COMMANDS", 50)
    async with narrow.worker():
        told = opening()
        await narrow.episodes.open(brisk(), told)
        await narrow.recorded(told.episode_id)
        narrow.records.away = True
        with pytest.raises(HeldUpError, match="takes only emergencies, contacts and acknowledgements"):
            await write_on(narrow, told.episode_id, 120)
        tried = command(RecordContact, party="client", channel="phone", outcome="no_answer")
        for urgent in (command(DeclareEmergency), tried):
            assert (await narrow.episodes.submit(told.episode_id, urgent)).refusal is None
        await until(narrow, told.episode_id, lambda view: any(o.missed for o in view.episode.obligations.values()))
        on_it = command(Acknowledge, obligation_id="emergency_help-1")
        assert (await narrow.episodes.submit(told.episode_id, on_it)).refusal is None
        narrow.records.away = False
        await narrow.recorded(told.episode_id)
        await narrow.episodes.submit(told.episode_id, command(AddAddendum, refers_to=1, text="It goes on."))


async def test_a_run_ends_when_its_history_is_large(narrow: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episode_workflow, "ENOUGH_EVENTS", 10_000)
    monkeypatch.setattr(episode_workflow, "ENOUGH_BYTES", 60_000)
    async with narrow.worker():
        told = opening()
        await narrow.episodes.open(brisk(), told)
        while await runs(narrow.client, told.episode_id) == 1:
            addendum = command(AddAddendum, refers_to=1, text=long_text())
            assert (await narrow.episodes.submit(told.episode_id, addendum)).refusal is None
        await narrow.recorded(told.episode_id)
