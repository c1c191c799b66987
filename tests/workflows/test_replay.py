"""Every task a replay: random traffic must leave no failed workflow task and the same state as a warm cache."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory

from tests.workflows.stack import Stack, brisk, free_port, stack, temporal_server
from tests.workflows.traffic import Traffic
from workflows.client import workflow_id

pytestmark = pytest.mark.full

EPISODES, STEPS = 10, 20
EVENTS_A_RUN = 150


@pytest.fixture(scope="module")
def eager_port() -> Iterator[int]:
    """A server that suggests to continue as new very soon."""
    port = free_port()
    with temporal_server(port, None, f"limit.historyCount.suggestContinueAsNew={EVENTS_A_RUN}"):
        yield port


@pytest.fixture
async def shell(tmp_path: Path, eager_port: int) -> AsyncIterator[Stack]:
    async with stack(tmp_path, eager_port) as made:
        yield made


async def outages(shell: Stack, chance: random.Random) -> None:
    """The records come and go; now and then a write lands and its answer is lost."""
    while True:
        await asyncio.sleep(1 + chance.random())
        shell.records.away = True
        await asyncio.sleep(chance.random())
        shell.records.away = False
        shell.records.lose_answer = 2


async def histories(shell: Stack, episode_id: str) -> list[WorkflowHistory]:
    """Every run of an episode."""
    found: list[WorkflowHistory] = []
    async for run in shell.client.list_workflows(f"WorkflowId = '{workflow_id(episode_id)}'"):
        found.append(await shell.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history())
    return found


def assert_no_failed_task(history: WorkflowHistory) -> None:
    """The server itself sends back the end of a run when news arrived meanwhile; nothing else may fail."""
    for event in history.events:
        if event.HasField("workflow_task_failed_event_attributes"):
            cause = event.workflow_task_failed_event_attributes.cause
            assert cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, event


RESULTS = (
    EventType.EVENT_TYPE_TIMER_FIRED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
)


def assert_every_result_left_a_command(history: WorkflowHistory) -> None:
    """A task that took something in and left nothing would be merged with the next one by a cold worker."""
    came: list[int] = []
    for event, following in pairwise(history.events):
        if event.event_type in RESULTS:
            came.append(event.event_id)
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            left_nothing = following.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
            assert not (came and left_nothing), f"events {came} left nothing behind"
            came = []


async def one_episode(traffic: Traffic) -> None:
    await traffic.open()
    for _ in range(STEPS):
        await traffic.step()


async def check(shell: Stack, traffic: Traffic) -> int:
    """The trail hangs together, ends where the workflow says, and each acknowledged command is in it once."""
    rows = await shell.recorded(traffic.episode_id)
    last = {row.command_id: row.sequence for row in rows}
    first_of_step = [row.command_id for row in rows if row.payload and "command" in row.payload]
    for command_id, receipt in traffic.acknowledged.items():
        assert last[command_id] == receipt.revision
        assert first_of_step.count(command_id) == 1
    runs = await histories(shell, traffic.episode_id)
    for history in runs:
        assert_no_failed_task(history)
        assert_every_result_left_a_command(history)
    return len(runs)


@pytest.mark.parametrize("cache", [0, 2, 1000])
async def test_random_traffic_survives_replay(shell: Stack, cache: int):
    seed = 20261123 + cache
    chance = random.Random(seed)
    shell.pager.seconds = 0.2
    async with shell.worker(worker_cache=cache, worker_sandbox=False):
        trouble = asyncio.create_task(outages(shell, chance))
        traffic = [Traffic(shell, brisk(), random.Random(f"{seed}-{number}")) for number in range(EPISODES)]
        try:
            await asyncio.gather(*(one_episode(one) for one in traffic))
        finally:
            trouble.cancel()
        shell.records.away = False
        runs = [await check(shell, one) for one in traffic]
        assert sum(runs) > EPISODES, "no episode continued as new"
        assert shell.pager.pages
