"""What a worker can't open: sent by somebody without the key, of another episode, or under a key that it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue

from protocol.commands import DeclareEmergency, RecordFacts
from tests.workflows.stack import Stack, brisk, command, key, opening
from tests.workflows.test_episode_workflow import opened, until
from workflows import ports
from workflows.client import EngineUnavailableError, EpisodeClient, workflow_id
from workflows.connection import connect
from workflows.messages import EpisodeView

pytestmark = pytest.mark.full

IMPATIENT = timedelta(seconds=3)


async def events_of(shell: Stack, episode_id: str) -> AsyncIterator[HistoryEvent]:
    async for event in shell.client.get_workflow_handle(workflow_id(episode_id)).fetch_history_events():
        yield event


async def failed_tasks(shell: Stack, episode_id: str) -> int:
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return len([event async for event in events_of(shell, episode_id) if event.event_type == failed])


async def sealed_for(shell: Stack, episode_id: str) -> Payload:
    """A command of that episode as the server keeps it: anybody who reads its history has it."""
    async for event in events_of(shell, episode_id):
        accepted = event.workflow_execution_update_accepted_event_attributes
        if accepted.accepted_request.input.args.payloads:
            return accepted.accepted_request.input.args.payloads[0]
    raise AssertionError("no command was taken")


def rubbish(name: str, data: bytes) -> Payload:
    metadata = {
        "encoding": b"binary/encrypted",
        "encryption-cipher": b"AES-256-GCM",
        "encryption-key-id": name.encode(),
    }
    return Payload(metadata=metadata, data=data)


async def is_rejected(handle: WorkflowHandle[Any, Any], payload: Payload) -> bool:
    try:
        await handle.execute_update(ports.SUBMIT, RawValue(payload))  # pyright: ignore[reportUnknownMemberType]
    except WorkflowUpdateFailedError:
        return True
    return False


def paged_twice(view: EpisodeView) -> bool:
    return view.episode is not None and view.episode.pages > 1


async def test_nobody_without_the_key_stops_an_episode(shell: Stack):
    """Sealed with whatever they like, or with what was sealed for another episode: its deadlines and pages go on."""
    async with shell.worker():
        other = await opened(shell)
        told = opening()
        await shell.episodes.open(brisk(), told)
        stranger = await Client.connect(shell.client.service_client.config.target_host)
        handle = stranger.get_workflow_handle(workflow_id(told.episode_id))
        own = shell.settings.payload_keys[0].id
        payloads = [
            *(
                rubbish(name, data)
                for name in (own, "nobody-has-this", "")
                for data in (b"", b"\0" * 80, b"x" * 100_000)
            ),
            await sealed_for(shell, other),
            Payload(metadata={"encoding": b"binary/not-opened"}, data=b"\xff"),
            Payload(),
        ]
        for payload in payloads:
            assert await is_rejected(handle, payload)
            await handle.signal("anything", RawValue(payload))
            with pytest.raises(WorkflowQueryFailedError):
                await handle.query("no such question", RawValue(payload))
        assert (await shell.episodes.submit(told.episode_id, command(DeclareEmergency))).refusal is None
        await until(shell, told.episode_id, paged_twice)
    async with shell.worker(worker_cache=0):  # and whoever replays it
        fact = command(RecordFacts, facts={"distress_1": 3})
        assert (await shell.episodes.submit(told.episode_id, fact)).refusal is None
        await shell.recorded(told.episode_id)
    assert await failed_tasks(shell, told.episode_id) == 0


@pytest.mark.parametrize("cache", [0, 10])
async def test_a_command_under_a_key_that_the_worker_lacks_waits_for_one_that_has_it(shell: Stack, cache: int):
    """Rotated in the wrong order: the sender is told to send it again, and it is then taken once."""
    new = await connect(shell.settings.model_copy(update={"payload_keys": (key("new"), *shell.settings.payload_keys)}))
    old, queue = shell.client, shell.settings.temporal_task_queue
    fact = command(RecordFacts, facts={"distress_1": 3})
    async with shell.worker(worker_cache=cache):
        episode_id = await opened(shell)
        with pytest.raises(EngineUnavailableError):
            await EpisodeClient(new, queue, IMPATIENT).submit(episode_id, fact)
        other = command(RecordFacts, facts={"distress_1": 4})
        assert (await shell.episodes.submit(episode_id, other)).refusal is None
        await shell.recorded(episode_id)
    shell.client = new
    async with shell.worker(worker_cache=cache):
        assert (await shell.episodes.submit(episode_id, fact)).refusal is None
        await shell.recorded(episode_id)
    shell.client = old
    again = command(RecordFacts, facts={"distress_1": 5})
    async with shell.worker(worker_cache=cache):  # it lacks the key of what was accepted: nothing may go on without it
        with pytest.raises(EngineUnavailableError):
            await EpisodeClient(old, queue, IMPATIENT).submit(episode_id, again)
    shell.client = new
    async with shell.worker(worker_cache=cache):
        assert (await shell.episodes.submit(episode_id, again)).refusal is None
        rows = await shell.recorded(episode_id)
    taken = [row.command_id for row in rows if "command" in (row.payload or {})]
    assert [taken.count(one.command_id) for one in (fact, other, again)] == [1, 1, 1]


async def test_an_episode_that_somebody_cancels_goes_on(shell: Stack):
    """With one press in Temporal's own page; its deadlines and pages must not end with it."""
    told = opening()
    handle = shell.client.get_workflow_handle(workflow_id(told.episode_id))
    async with shell.worker():
        await shell.episodes.open(brisk(), told)
        for _ in range(2):
            await handle.cancel()
        assert (await shell.episodes.submit(told.episode_id, command(DeclareEmergency))).refusal is None
        await until(shell, told.episode_id, paged_twice)
    async with shell.worker(worker_cache=0):
        fact = command(RecordFacts, facts={"distress_1": 3})
        assert (await shell.episodes.submit(told.episode_id, fact)).refusal is None
        await shell.recorded(told.episode_id)
    assert await failed_tasks(shell, told.episode_id) == 0
