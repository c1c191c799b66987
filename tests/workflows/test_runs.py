"""An episode lives over many runs of its workflow; nobody notices when one ends and the next begins."""

import uuid
from typing import Any

import pytest

from protocol.commands import DeclareEmergency, RecordFacts
from protocol.engine import Receipt
from tests.workflows.stack import Stack, brisk, command, opening
from tests.workflows.test_episode_workflow import opened, until
from workflows import episode_workflow, ports
from workflows.client import workflow_id
from workflows.messages import Submission

pytestmark = pytest.mark.full


async def again(shell: Stack, episode_id: str, same: Any) -> Receipt:
    """The same command as another update, as after a continue-as-new."""
    handle = shell.client.get_workflow_handle(workflow_id(episode_id))
    return await handle.execute_update(ports.SUBMIT, Submission(same), id=str(uuid.uuid4()), result_type=Receipt)


@pytest.mark.parametrize(("limit", "value"), [("ENOUGH_EVENTS", 40), ("COMMANDS_A_RUN", 4)])
async def test_a_repeated_command_changes_nothing_before_and_after_continue_as_new(
    shell: Stack, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
):
    monkeypatch.setattr(episode_workflow, limit, value)
    async with shell.worker():
        told = opening()
        first = await shell.episodes.open(brisk(), told)
        assert await shell.episodes.open(brisk(), told) == first
        assert await again(shell, told.episode_id, told) == first
        handle = shell.client.get_workflow_handle(workflow_id(told.episode_id))
        run, facts = (await handle.describe()).run_id, list[RecordFacts]()
        while (await handle.describe()).run_id == run:
            facts.append(command(RecordFacts, facts={"distress_1": 2}))
            receipt = await shell.episodes.submit(told.episode_id, facts[-1])
        assert await shell.episodes.submit(told.episode_id, facts[-1]) == receipt
        assert await again(shell, told.episode_id, told) == first
        rows = await shell.recorded(told.episode_id)
        commands = [row.command_id for row in rows if row.actor == "maya" and "command" in (row.payload or {})]
        assert commands == [told.command_id, *(fact.command_id for fact in facts)]


async def busy_emergency(shell: Stack) -> tuple[str, str]:
    """An emergency whose pages take their time while others write; the episode and its first page, once done."""
    shell.pager.seconds = 3.0
    episode_id = await opened(shell)
    await shell.episodes.submit(episode_id, command(DeclareEmergency))
    await until(shell, episode_id, lambda _view: bool(shell.pager.pages))
    for number in range(12):
        await shell.episodes.submit(episode_id, command(RecordFacts, facts={"distress_1": number % 5}))
    first = shell.pager.pages[0].page_id
    await until(shell, episode_id, lambda view: first not in view.episode.pages_open)
    return episode_id, first


async def test_a_run_that_had_enough_commands_awaits_its_pages(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episode_workflow, "COMMANDS_A_RUN", 1)
    async with shell.worker():
        _, first = await busy_emergency(shell)
        assert [page.page_id for page in shell.pager.pages].count(first) == 1, "nobody was paged twice"


async def test_pages_under_way_are_taken_over_by_the_next_run(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episode_workflow, "ENOUGH_EVENTS", 40)
    async with shell.worker():
        episode_id, _ = await busy_emergency(shell)
        rows = await shell.recorded(episode_id)
        reported = [row.payload["event"]["page_id"] for row in rows if row.kind == "PageReported" and row.payload]
        assert len(set(reported)) == len(reported)
