"""Moving open episodes to a newer version through the real workflow, its records and its continued runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_jsonable_python
from temporalio.client import WorkflowUpdateFailedError
from temporalio.worker import Replayer

from audit.checkpoints import Witness
from audit.history import history
from audit.sealing import Keyring
from protocol.commands import Migrate, RecordFacts
from protocol.engine import Receipt
from protocol.events import EpisodeOpened, Migrated
from protocol.spec import ProtocolSpec
from tests.workflows.stack import Stack, brisk, command, free_port, opening, stack, temporal_server
from workflows import ports
from workflows.client import workflow_id
from workflows.episode_workflow import EpisodeWorkflow
from workflows.messages import Submission

pytestmark = pytest.mark.full

LIMIT = "talk_limit-1"


@pytest.fixture(scope="module")
def eager_port() -> Iterator[int]:
    """A server that suggests to continue as new soon."""
    port = free_port()
    with temporal_server(port, None, "limit.historyCount.suggestContinueAsNew=60"):
        yield port


@pytest.fixture
async def shell(tmp_path: Path, eager_port: int) -> AsyncIterator[Stack]:
    async with stack(tmp_path, eager_port) as made:
        yield made


def newer(deadline: str, due: str, **more: Any) -> ProtocolSpec:
    """The next version of the fixture: another limit for talking, and what becomes of the open one."""
    document = json.loads(brisk().canonical())
    document |= {
        "version": "1.1.0",
        "migrates_from": {"1.0.0": {"obligations": {"talk_limit": {"deadline": deadline, **more}}}},
    }
    document["obligations"]["talk_limit"]["due"] = due
    return ProtocolSpec.model_validate_json(json.dumps(document))


async def opened(shell: Stack) -> str:
    told = opening()
    await shell.episodes.open(brisk(), told)
    return told.episode_id


async def move(shell: Stack, episode_id: str, onto: ProtocolSpec, **more: Any) -> Receipt:
    return await shell.episodes.migrate(episode_id, command(Migrate, protocol_hash=onto.content_hash, **more), onto)


async def test_one_of_two_episodes_is_moved_and_both_are_accounted_for(shell: Stack) -> None:
    onto = newer("shorten", "1h")
    async with shell.worker():
        moved, stays = await opened(shell), await opened(shell)
        before = (await shell.episodes.view(moved)).episode
        receipt = await move(shell, moved, onto)
        assert [event.kind for event in receipt.events] == ["Migrated", "ObligationRescheduled"]
        for episode_id in (moved, stays):
            for number in range(20):
                await shell.episodes.submit(episode_id, command(RecordFacts, facts={"distress_1": number % 5}))
            await shell.recorded(episode_id)
        after, other = [(await shell.episodes.view(one)).episode for one in (moved, stays)]
    assert before is not None
    assert after is not None
    assert other is not None
    assert after.protocol_hash == onto.content_hash
    assert after.obligations[LIMIT].due_at < before.obligations[LIMIT].due_at
    assert other.protocol_hash == brisk().content_hash
    assert other.obligations[LIMIT].due_at - other.opened_at == before.obligations[LIMIT].due_at - before.opened_at
    await told_without_difference(shell, moved, ("1.0.0", "1.1.0"))
    await told_without_difference(shell, stays, ("1.0.0",))
    assert await runs(shell, moved) > 1, "the newer version was carried into the next run"


async def told_without_difference(shell: Stack, episode_id: str, versions: tuple[str, ...]) -> None:
    ring = Keyring((one.id, one.secret) for one in shell.settings.record_keys)
    records = shell.queries._database  # pyright: ignore[reportPrivateUsage]
    told = await history(records, ring, episode_id, Witness(records, None))
    assert told.sound, (told.stopped, [entry.differences for entry in told.entries if entry.differences])
    named = {
        entry.event.protocol_version for entry in told.entries if isinstance(entry.event, EpisodeOpened | Migrated)
    }
    assert named == set(versions)


async def runs(shell: Stack, episode_id: str) -> int:
    """How many runs the episode has had; each is replayed by today's code."""
    replayer = Replayer(workflows=[EpisodeWorkflow], data_converter=shell.client.data_converter)
    count = 0
    async for run in shell.client.list_workflows(f"WorkflowId = '{workflow_id(episode_id)}'"):
        handle = shell.client.get_workflow_handle(run.id, run_id=run.run_id)
        await replayer.replay_workflow(await handle.fetch_history())
        count += 1
    return count


async def test_what_comes_later_is_refused_until_somebody_signs_for_it(shell: Stack) -> None:
    onto = newer("rearm", "9h")
    signed = {"sign_off_by": "dora", "sign_off_role": "supervisor", "sign_off_reason": "Agreed in the round."}
    async with shell.worker():
        episode_id = await opened(shell)
        refused = await move(shell, episode_id, onto)
        assert refused.refusal is not None
        assert refused.refusal.code == "sign_off_needed"
        receipt = await move(shell, episode_id, onto, **signed)
        assert [event.kind for event in receipt.events] == ["Migrated", "ObligationOpened", "ObligationSuperseded"]
        await shell.recorded(episode_id)
    await told_without_difference(shell, episode_id, ("1.0.0", "1.1.0"))


async def test_what_is_dropped_is_signed_for_and_told_in_the_record(shell: Stack) -> None:
    onto = newer("waive", "3h", because="The stage has no limit any more.")
    signed = {"sign_off_by": "dora", "sign_off_role": "supervisor", "sign_off_reason": "Agreed in the round."}
    async with shell.worker():
        episode_id = await opened(shell)
        refused = await move(shell, episode_id, onto)
        assert refused.refusal is not None
        assert refused.refusal.code == "sign_off_needed"
        assert LIMIT in await owed(shell, episode_id)
        receipt = await move(shell, episode_id, onto, **signed)
        assert [event.kind for event in receipt.events] == ["Migrated", "ObligationWaived"]
        assert LIMIT not in await owed(shell, episode_id)
        await shell.recorded(episode_id)
    await told_without_difference(shell, episode_id, ("1.0.0", "1.1.0"))


async def test_what_is_weakened_is_refused_until_somebody_signs_for_it(shell: Stack) -> None:
    """The letter that takes the place of a contact ends with an attempt."""
    document = json.loads(newer("keep", "3h").canonical())
    document["obligations"]["talk_limit"]["met_by"] += [{"attempted": "client"}]
    onto = ProtocolSpec.model_validate_json(json.dumps(document))
    signed = {"sign_off_by": "dora", "sign_off_role": "supervisor", "sign_off_reason": "Agreed in the round."}
    async with shell.worker():
        episode_id = await opened(shell)
        refused = await move(shell, episode_id, onto)
        assert refused.refusal is not None
        assert refused.refusal.missing == (f"{LIMIT}: weakened",)
        assert (await move(shell, episode_id, onto, **signed)).refusal is None
        await shell.recorded(episode_id)
    await told_without_difference(shell, episode_id, ("1.0.0", "1.1.0"))


async def owed(shell: Stack, episode_id: str) -> set[str]:
    episode = (await shell.episodes.view(episode_id)).episode
    assert episode is not None
    return set(episode.obligations)


@pytest.mark.parametrize("document", [None, "{}", "{", brisk().canonical()])
async def test_a_document_that_is_not_the_one_named_is_refused_without_a_trace(
    shell: Stack, document: str | None
) -> None:
    async with shell.worker():
        episode_id = await opened(shell)
        named = "0" * 64 if document is None else hashlib.sha256(document.encode()).hexdigest()
        hashed = named if document == "{" else named[::-1]
        told = {"command": to_jsonable_python(command(Migrate, protocol_hash=hashed)), "protocol": document}
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(ports.SUBMIT, told, result_type=Receipt)  # pyright: ignore[reportUnknownMemberType]
        assert "can't be read" in str(failed.value.cause)
        kinds = {row.kind for row in await shell.recorded(episode_id)}
        assert not kinds & {"CommandRefused", "Migrated"}


async def test_a_move_that_is_sent_again_after_a_later_one_changes_nothing(shell: Stack) -> None:
    first, second = newer("keep", "1h"), latest()
    async with shell.worker():
        episode_id = await opened(shell)
        told = command(Migrate, protocol_hash=first.content_hash)
        receipt = await shell.episodes.migrate(episode_id, told, first)
        await move(shell, episode_id, second)
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        again = Submission(told, first.canonical())
        repeated = await handle.execute_update(ports.SUBMIT, again, id="again", result_type=Receipt)  # pyright: ignore[reportUnknownMemberType]
        assert repeated == receipt
        begun = await runs(shell, episode_id)
        async with asyncio.timeout(60):
            while await runs(shell, episode_id) == begun:
                await shell.episodes.submit(episode_id, command(RecordFacts, facts={"distress_1": 1}))
                await shell.recorded(episode_id)
        only_there = command(RecordFacts, facts={"only_here": "yes"})
        assert (await shell.episodes.submit(episode_id, only_there)).refusal is None
        await shell.recorded(episode_id)
        view = await shell.episodes.view(episode_id)
    assert view.episode is not None
    assert view.episode.protocol_hash == second.content_hash
    await told_without_difference(shell, episode_id, ("1.0.0", "1.1.0", "1.2.0"))


def latest() -> ProtocolSpec:
    document = json.loads(newer("keep", "1h").canonical())
    document |= {"version": "1.2.0", "migrates_from": {"1.1.0": {}}}
    document["facts"]["only_here"] = {"ask": "Only here?", "type": "yes_no"}
    return ProtocolSpec.model_validate_json(json.dumps(document))
