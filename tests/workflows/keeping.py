"""Plays the episodes whose histories are kept, on real servers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from pathlib import Path

from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from activities.referring import Referring
from audit import database, migrate, sealing
from audit.queries import Queries
from audit.store import Store
from cli.durable import DurableStage, Prompt, test_server
from protocol.commands import DeclareEmergency, Migrate, RecordFacts
from protocol.directory import Directory
from protocol.program import program
from protocol_specs.loader import load, load_protocol
from rehearsal.play import play
from rehearsal.scenario import Scenario
from rehearsal.script import timeline
from tests.workflows.kept import FOLDER, KEY, KINDS, keep
from tests.workflows.stack import Stack, brisk, command, free_port, opening, settings_for, stack, temporal_server
from tests.workflows.test_migration import newer
from worker import episode_worker
from workflows import ports
from workflows.client import EpisodeClient
from workflows.connection import connect

SPECS = Path(__file__).parents[2] / "protocol_specs"
CRISIS = Path(__file__).with_name("kept_crisis.yaml")


async def emergency(shell: Stack) -> str:
    """An episode with an emergency, over two runs."""
    told = opening()
    async with shell.worker(worker_sandbox=False):
        await shell.episodes.open(brisk(), told)
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        await record(shell, told.episode_id, 12, 0.5)
        await shell.recorded(told.episode_id)
    return told.episode_id


async def migration(shell: Stack) -> str:
    """An episode that is moved to a version with a shorter deadline and goes on under it."""
    told, onto = opening(), newer("shorten", "1h")
    async with shell.worker(worker_sandbox=False):
        await shell.episodes.open(brisk(), told)
        moving = command(Migrate, protocol_hash=onto.content_hash)
        receipt = await shell.episodes.migrate(told.episode_id, moving, onto)
        assert receipt.refusal is None
        await shell.recorded(told.episode_id)  # both documents, before the run ends
        await record(shell, told.episode_id, 6)
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        await shell.recorded(told.episode_id)
    return told.episode_id


async def outage(shell: Stack) -> str:
    """The records are away during an emergency: rows wait, into the next run, leave in batches; an answer is lost."""
    told = opening()
    async with shell.worker(worker_sandbox=False):
        await shell.episodes.open(brisk(), told)
        await shell.recorded(told.episode_id)
        before = shell.records.batches
        shell.records.away = True
        await shell.episodes.submit(told.episode_id, command(DeclareEmergency))
        await record(shell, told.episode_id, 10)
        shell.records.away, shell.records.lose_answer = False, 1
        await shell.recorded(told.episode_id)
        assert shell.records.batches - before > 2
    return told.episode_id


async def record(shell: Stack, episode_id: str, count: int, pause: float = 0) -> None:
    for number in range(count):
        await shell.episodes.submit(episode_id, command(RecordFacts, facts={"distress_1": number % 5}))
        await asyncio.sleep(pause)


class DeadAtFirst:
    """Every provider is dead for the first page; later ones reach whoever is named in the order."""

    def __init__(self) -> None:
        self.failed = 0

    @activity.defn(name=ports.DELIVER_PAGE)
    async def deliver_page(self, order: ports.PageOrder) -> ports.PageReport:
        """Taken, but for the first."""
        if not self.failed:
            self.failed += 1
            return ports.PageReport(delivered=False, recipients=(), detail="the provider is dead")
        return ports.PageReport(delivered=True, recipients=("somebody",), detail="taken by email")


async def crisis() -> None:
    """The flagship protocol in skipped time."""
    spec, scenario = load_protocol(SPECS / "virtual_iop_crisis.yaml"), load(CRISIS, Scenario)
    with tempfile.TemporaryDirectory() as folder:
        async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(test_server())) as time:
            address = time.client.service_client.config.target_host
            settings = settings_for(Path(folder), int(address.rpartition(":")[2]), payload_keys=(KEY,))
            settings = settings.model_copy(update={"worker_sandbox": False, "drain_seconds": 0.0})
            await time.sleep(timeline(spec, scenario)[0].at - (await time.get_current_time()).astimezone(UTC))
            url = settings.database_url.get_secret_value()
            await asyncio.to_thread(migrate.upgrade, url)
            records = database.connect(url)
            ring = sealing.Keyring((one.id, one.secret) for one in settings.record_keys)
            client, prompt, pager = await connect(settings), Prompt(Store(records, ring)), DeadAtFirst()
            serving = [pager.deliver_page, Referring(None, settings.base_url).request_referral, prompt.append_rows]
            async with episode_worker(client, settings, serving):
                engine, queries = EpisodeClient(client, settings.temporal_task_queue), Queries(records, ring)
                stage = DurableStage(spec, scenario, time, engine, queries, prompt.written)
                report = await play(program(spec), scenario, stage, load(SPECS / "directory.yaml", Directory))
                assert report.passed, report.failures
                assert pager.failed
                episode = await stage.remembered()
                assert episode is not None
                await keep(client, episode.episode_id, "crisis")
            await records.dispose()


WRITERS: dict[str, Callable[[Stack], Awaitable[str]]] = {
    "emergency": emergency,
    "migration": migration,
    "outage": outage,
}


async def main(wanted: Sequence[str]) -> None:
    """Record what is wanted, or everything."""
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    with (
        temporal_server(port, None, "limit.historyCount.suggestContinueAsNew=80"),
        tempfile.TemporaryDirectory() as folder,
    ):
        async with stack(Path(folder), port, payload_keys=(KEY,)) as shell:
            for what in wanted or KINDS:
                if what == "crisis":
                    await crisis()
                else:
                    await keep(shell.client, await WRITERS[what](shell), what)
