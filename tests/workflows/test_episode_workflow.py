"""One episode through the real Temporal server, real records and our worker."""

import asyncio
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import to_jsonable_python
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from protocol import engine
from protocol.commands import (
    AddAddendum,
    Advance,
    CloseEpisode,
    CompleteStep,
    DeclareEmergency,
    RecordContact,
    RecordFacts,
)
from tests.workflows.stack import Stack, brisk, command, key, opening
from workflows import episode_workflow, ports
from workflows.client import (
    CommandIdReusedError,
    EngineFaultError,
    EngineUnavailableError,
    EpisodeClient,
    EpisodeOverError,
    EpisodeUnknownError,
    MalformedCommandError,
    workflow_id,
)
from workflows.connection import connect
from workflows.episode_workflow import EpisodeWorkflow
from workflows.messages import Submission

pytestmark = pytest.mark.full

CALM = {"wish_to_die": "no", "distress_1": 1}


def way_to_the_end() -> list[Any]:
    """What a therapist does in a short episode, from listening to closing it."""
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return [
        command(CompleteStep, step="listen", facts=CALM),
        command(Advance),
        command(CompleteStep, step="agree_plan", facts={"plan": "sleep", "callback_at": at}),
        command(Advance),
        command(RecordContact, party="client", channel="phone", outcome="reached"),
        command(CloseEpisode, outcome="settled", reason="The client is calm."),
    ]


async def opened(shell: Stack) -> str:
    told = opening()
    assert (await shell.episodes.open(brisk(), told)).refusal is None
    return told.episode_id


async def until(shell: Stack, episode_id: str, what: Any, seconds: float = 60.0) -> Any:
    """The view of the episode, once it is as wanted."""
    async with asyncio.timeout(seconds):
        while not what(view := await shell.episodes.view(episode_id)):
            await asyncio.sleep(0.1)
    return view


async def test_an_episode_from_opening_to_closing(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        for told in way_to_the_end():
            receipt = await shell.episodes.submit(episode_id, told)
            assert receipt.refusal is None
        rows = await shell.recorded(episode_id)
        assert [row.sequence for row in rows] == list(range(1, receipt.revision + 1))
        summary = await shell.queries.get_episode(episode_id)
        assert summary is not None
        assert (summary.revision, summary.stage) == (receipt.revision, "closed")
        async with asyncio.timeout(60):
            while await shell.queries.get_protocol(brisk().content_hash) is None:
                await asyncio.sleep(0.05)


async def test_a_closed_episode_takes_addenda_for_a_while(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episode_workflow, "LATE_ENTRIES", timedelta(seconds=8))
    async with shell.worker():
        episode_id = await opened(shell)
        for told in way_to_the_end():
            await shell.episodes.submit(episode_id, told)
        late = await shell.episodes.submit(episode_id, command(AddAddendum, refers_to=1, text="He called at noon."))
        assert late.refusal is None
        refused = (await shell.episodes.submit(episode_id, command(Advance))).refusal
        assert refused is not None
        assert refused.code == "already_closed"
        await shell.client.get_workflow_handle(workflow_id(episode_id)).result()
        assert (await shell.recorded(episode_id))[-2].kind == "AddendumAdded"
        with pytest.raises(EpisodeOverError, match="is over; open a new one"):
            await shell.episodes.submit(episode_id, command(Advance))
        with pytest.raises(EpisodeOverError):
            await shell.episodes.open(brisk(), opening(episode_id=episode_id))


async def test_deadlines_page_and_climb_until_somebody_has_done_it(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        begun = time.monotonic()
        await shell.episodes.submit(episode_id, command(DeclareEmergency))
        await until(shell, episode_id, lambda _view: len(shell.pager.pages) >= 5)
        assert time.monotonic() - begun < 15
        help_pages = [page for page in shell.pager.pages if page.obligation == "Send help"]
        assert [page.role for page in help_pages[:2]] == ["owner", "supervisor"]
        assert {page.urgency for page in help_pages} == {1}
        assert len({page.page_id for page in shell.pager.pages}) == len(shell.pager.pages)
        rows = await shell.recorded(episode_id)
        kinds = [row.kind for row in rows]
        assert kinds.count("PageReported") >= 3
        assert "DeadlineMissed" in kinds


async def test_the_records_may_be_away_and_the_trail_catches_up(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "MOST_ROWS", 5)
    async with shell.worker():
        episode_id = await opened(shell)
        await shell.recorded(episode_id)
        shell.records.away = True
        for number in range(5):
            begun = time.monotonic()
            fact = command(RecordFacts, facts={"distress_1": number})
            assert (await shell.episodes.submit(episode_id, fact)).refusal is None
            assert time.monotonic() - begun < 5
        await shell.episodes.submit(episode_id, command(DeclareEmergency))
        await until(shell, episode_id, lambda _view: shell.pager.pages)
        behind = await shell.episodes.view(episode_id)
        assert behind.unrecorded > 5
        shell.records.away, shell.records.lose_answer = False, 2
        rows = await shell.recorded(episode_id)
        assert len(rows) > behind.unrecorded
        assert shell.records.batches > 3


@pytest.mark.parametrize("dead", [False, True])
async def test_a_slow_or_dead_provider_delays_no_command(shell: Stack, dead: bool):
    shell.pager.seconds, shell.pager.dead = 3.0, dead
    async with shell.worker():
        episode_id = await opened(shell)
        await shell.episodes.submit(episode_id, command(DeclareEmergency))
        view = await until(shell, episode_id, lambda view: view.pages)
        assert view.episode.pages_open
        for number in range(5):
            begun = time.monotonic()
            await shell.episodes.submit(episode_id, command(RecordFacts, facts={"distress_1": number}))
            assert time.monotonic() - begun < 1.5
        first = shell.pager.pages[0].page_id
        await until(shell, episode_id, lambda view: first not in view.episode.pages_open)
        rows = await shell.recorded(episode_id)
        reports = [row.payload["event"] for row in rows if row.kind == "PageReported" and row.payload]
        assert reports[0]["delivered"] is not dead


async def test_a_new_key_is_added_everywhere_and_then_promoted(shell: Stack):
    old = shell.settings
    both = old.model_copy(update={"payload_keys": (*old.payload_keys, key("k2"))})
    promoted = old.model_copy(update={"payload_keys": tuple(reversed(both.payload_keys))})
    episode_id = ""
    for told in (old, both, promoted):
        shell.settings, shell.client = told, await connect(told)
        async with shell.worker(worker_cache=0):
            episode_id = episode_id or await opened(shell)
            fact = command(RecordFacts, facts={"distress_1": 3})
            assert (await shell.episodes.submit(episode_id, fact)).refusal is None
            await shell.recorded(episode_id)


async def test_a_worker_without_the_key_takes_nothing_and_loses_nothing(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        await shell.recorded(episode_id)
    right = shell.client
    shell.client = await connect(shell.settings.model_copy(update={"payload_keys": (key("other"),)}))
    impatient = EpisodeClient(right, shell.settings.temporal_task_queue, timedelta(seconds=4))
    fact = command(RecordFacts, facts={"distress_1": 3})
    async with shell.worker():
        with pytest.raises(EngineUnavailableError):
            await impatient.submit(episode_id, fact)
    shell.client = right
    async with shell.worker():
        assert (await shell.episodes.submit(episode_id, fact)).refusal is None
        rows = await shell.recorded(episode_id)
        taken = [row.command_id for row in rows if "command" in (row.payload or {})]
        assert taken.count(fact.command_id) == 1


async def test_malformed_commands_are_refused_without_a_trace(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        before = await until(shell, episode_id, lambda view: view.episode.pages and not view.pages)
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        good = {
            "kind": "RecordFacts",
            "command_id": "c1",
            "actor": "maya",
            "role": "therapist",
            "occurred_at": "2026-12-01T00:00:00Z",
            "facts": {},
        }
        for wrong in (
            {"kind": "Nonsense"},
            {"occurred_at": "2026-12-01T00:00:00"},
            {"occurred_at": "yesterday"},
            {"command_id": "not an id"},
            {"facts": {"distress_1": 1.5}},
            {"facts": {f"fact_{n}": "x" for n in range(200)}},
            {"surprise": 1},
            {"command_id": "report-1-p1"},
            {"command_id": "deadline-7"},
        ):
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(ports.SUBMIT, {"command": {**good, **wrong}})
        huge = command(RecordFacts, facts={f"fact_{number}": "x" * 4000 for number in range(100)})
        with pytest.raises(MalformedCommandError, match="at most 262144 are taken"):
            await shell.episodes.submit(episode_id, huge)
        after = await shell.episodes.view(episode_id)
        assert (after.episode, after.head) == (before.episode, before.head)


async def test_an_id_that_was_used_for_something_else_is_refused_without_a_trace(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        fact = command(RecordFacts, facts={"distress_1": 3})
        receipt = await shell.episodes.submit(episode_id, fact)
        before = await until(shell, episode_id, lambda view: view.episode.pages and not view.pages)
        other = replace(fact, facts={"distress_1": 4})
        with pytest.raises(CommandIdReusedError, match="used for something else"):
            await shell.episodes.submit(episode_id, other)
        handle = shell.client.get_workflow_handle_for(EpisodeWorkflow.run, workflow_id(episode_id))
        with pytest.raises(WorkflowUpdateFailedError) as past_temporals_own_memory:
            await handle.execute_update(EpisodeWorkflow.submit, Submission(other))
        assert isinstance(past_temporals_own_memory.value.cause, ApplicationError)
        assert past_temporals_own_memory.value.cause.type == ports.REUSED_ID
        after = await shell.episodes.view(episode_id)
        assert (after.episode, after.head) == (before.episode, before.head)
        assert await shell.episodes.submit(episode_id, replace(fact, occurred_at=datetime.now(UTC))) == receipt


async def test_nobody_speaks_for_the_engine(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        before = await until(shell, episode_id, lambda view: view.episode.pages and not view.pages)
        handle = shell.client.get_workflow_handle(workflow_id(episode_id))
        own = {"actor": "holdfast", "role": "system", "occurred_at": "2026-12-01T00:00:00Z"}
        page = {"kind": "ReportPage", "page_id": f"{episode_id}-p1", "delivered": True}
        for number, forged in enumerate(({"kind": "DeadlineReached"}, page)):
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(ports.SUBMIT, {"command": {**own, **forged, "command_id": f"f{number}"}})
        after = await shell.episodes.view(episode_id)
        assert (after.episode, after.head) == (before.episode, before.head)


async def test_what_is_not_sealed_is_not_read_and_stops_no_episode(shell: Stack):
    async with shell.worker():
        episode_id = await opened(shell)
        unsealed = await Client.connect(shell.client.service_client.config.target_host)
        handle = unsealed.get_workflow_handle(workflow_id(episode_id))
        await handle.signal("hello", {"from": "somebody at Temporal's web page"})
        told = to_jsonable_python(command(DeclareEmergency))
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(ports.SUBMIT, {"command": told})
        receipt = await shell.episodes.submit(episode_id, command(DeclareEmergency))
        assert receipt.refusal is None
    async with shell.worker():
        view = await shell.episodes.view(episode_id)
        assert view.episode is not None
        assert view.episode.revision >= receipt.revision


async def test_a_bug_in_the_core_costs_one_command_and_not_the_episode(shell: Stack, monkeypatch: pytest.MonkeyPatch):
    real = engine.decide

    def decide(spec: Any, episode: Any, told: Any, now: datetime, onto: Any = None) -> Any:
        if isinstance(told, DeclareEmergency) and told.reason == "boom":
            raise ZeroDivisionError
        return real(spec, episode, told, now)

    monkeypatch.setattr(engine, "decide", decide)
    async with shell.worker(worker_sandbox=False):
        episode_id = await opened(shell)
        with pytest.raises(EngineFaultError, match="did not take it"):
            await shell.episodes.submit(episode_id, command(DeclareEmergency, reason="boom"))
        assert (await shell.episodes.submit(episode_id, command(DeclareEmergency))).risk == "imminent"


async def test_a_refused_opening_leaves_the_id_free(shell: Stack):
    async with shell.worker():
        told = opening(role="nobody")
        assert (await shell.episodes.open(brisk(), told)).refusal is not None
        assert (await shell.episodes.open(brisk(), opening(episode_id=told.episode_id))).refusal is None


async def test_what_is_not_there_is_said(shell: Stack):
    nowhere = str(uuid.uuid4())
    with pytest.raises(EpisodeUnknownError, match="there is no episode"):
        await shell.episodes.submit(nowhere, command(Advance))
    with pytest.raises(EpisodeUnknownError):
        await shell.episodes.view(nowhere)
    impatient = EpisodeClient(shell.client, shell.settings.temporal_task_queue, timedelta(seconds=1))
    with pytest.raises(EngineUnavailableError, match="send the same command again with the same id"):
        await impatient.open(brisk(), opening())


async def test_temporal_stores_nothing_of_the_client(shell: Stack):
    canary = "Canary-4711"
    async with shell.worker():
        told = opening(client_ref=canary)
        await shell.episodes.open(brisk(), told)
        note = command(DeclareEmergency, reason=f"{canary} has pills")
        await shell.episodes.submit(told.episode_id, note)
        await shell.recorded(told.episode_id)
        await until(shell, told.episode_id, lambda view: not view.pages)
        raw = await Client.connect(shell.settings.temporal_address)
        handle = raw.get_workflow_handle(workflow_id(told.episode_id))
        history = (await handle.fetch_history()).to_json()
        assert len(history) > 2_000
        for word in (canary, "pills", "wish_to_die", "imminent", "Send help", "supervisor", "maya"):
            assert word not in history
        described = await handle.describe()
        assert described.status == WorkflowExecutionStatus.RUNNING
        assert canary not in str(described.raw_description)


async def test_a_protocol_travels_to_the_records_once_even_when_they_were_away(shell: Stack):
    shell.records.away = True
    async with shell.worker():
        first = await opened(shell)
        shell.records.away = False
        async with asyncio.timeout(60):
            while not shell.records.documents:
                await asyncio.sleep(0.05)
        second = await opened(shell)
        await shell.recorded(first)
        await shell.recorded(second)
    stored = await shell.queries.get_protocol(brisk().content_hash)
    assert stored is not None
    assert stored.document == brisk().canonical()
    assert shell.records.documents == 1
