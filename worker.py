"""The Temporal worker: reads the settings, connects, serves episodes until told to stop. Wires and decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Timer
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorAutoscaling, Worker

import heap
import logs
from activities.channels import notifiers
from activities.paging import Paging
from activities.recording import Recording
from activities.referring import Referring
from audit import database, migrate, sealing, store
from cli.leaving import run_and_leave
from practice.rotas import Rotas
from protocol_specs.loader import SpecErrors
from protocol_specs.rota_file import RotaFile
from settings import Settings, SettingsError, load
from workflows.connection import connect
from workflows.conversion import adapter_of
from workflows.episode_workflow import EpisodeWorkflow
from workflows.lean import LeanInterceptor
from workflows.messages import READ
from workflows.runner import workflow_runner

log = structlog.get_logger()

CONNECTIONS = 5
WORKFLOW_THREADS = 2
MOST_TASKS = 50
"""At once. Few threads and a short queue: Python runs one at a time, and a task must end within two seconds."""
MOST_ACTIVITIES = 1_000
"""At once; most of them only wait: for a provider, or for company in a batch."""
LEAST_POLLERS = 16
"""Of each workflow queue, however quiet it was. The server writes a task that finds none waiting to disk first."""
STICKY = timedelta(seconds=2)
"""How long an episode waits for the worker that knows it, before any other replays it."""
LATEST_END = 8.0
"""Seconds after the drain. Whoever stopped the worker kills it 10 s after the drain, and would not say why."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
REFUSED_SERVERS = (((1, 29, 0), (1, 29, 4)), ((1, 30, 0), (1, 30, 2)))
"""From and to, both included: Temporal servers with CVE-2026-5199."""


class CannotStartError(Exception):
    """The worker must not start; the message says what to change."""


def activities(settings: Settings) -> list[Callable[..., Any]]:
    """Every activity with what it needs. Raises CannotStartError when the rota can't be read."""
    channels = notifiers(settings)
    try:
        rota = RotaFile(settings.rota)
    except SpecErrors as error:
        raise CannotStartError(f"the rota can't be read:\n{error}") from None
    engine = database.connect(settings.database_url.get_secret_value(), pool_size=CONNECTIONS)
    living = Rotas(rota, engine)
    records = store.Store(engine, sealing.Keyring((key.id, key.secret) for key in settings.record_keys))
    return [
        Paging(living, channels, settings.base_url).deliver_page,
        Referring(channels.get("webhook"), settings.base_url).request_referral,
        Recording(records, at_once=CONNECTIONS).append_rows,
    ]


def episode_worker(client: Client, settings: Settings, serving: list[Callable[..., Any]]) -> Worker:
    """The worker, not yet running."""
    for hint in READ:
        adapter_of(hint)
    return Worker(
        client,
        task_queue=settings.temporal_task_queue,
        workflows=[EpisodeWorkflow],
        activities=serving,
        workflow_runner=workflow_runner(sandbox=settings.worker_sandbox),
        interceptors=[LeanInterceptor()],
        max_cached_workflows=settings.worker_cache,
        workflow_task_executor=ThreadPoolExecutor(WORKFLOW_THREADS, "workflow"),
        max_concurrent_workflow_tasks=MOST_TASKS,
        max_concurrent_activities=MOST_ACTIVITIES,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=timedelta(seconds=settings.drain_seconds),
        max_workflow_task_external_storage_concurrency=1,  # nothing is stored elsewhere; more would cost a task each
        **_pollers(settings),
    )


def _pollers(settings: Settings) -> dict[str, Any]:
    """Pollers that follow the load; without a cache every poller must serve the one shared queue.

    With as few as the SDK goes down to by itself, 16 busy episodes had up to 0.9 tasks a step written to disk.
    """
    if settings.worker_cache == 0:
        return {"max_concurrent_workflow_task_polls": 1}
    return {
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(minimum=LEAST_POLLERS, initial=LEAST_POLLERS),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
    }


def check_keys(settings: Settings) -> None:
    """Raises CannotStartError when a key is missing."""
    for name in ("payload_keys", "record_keys"):
        if not getattr(settings, name):
            raise CannotStartError(f"no key: set HOLDFAST_{name.upper()} to id:base64 of 32 random bytes")


def check_records(settings: Settings) -> None:
    """Raises CannotStartError when the schema is not the one of this code.

    Records that are away are no reason to stay down: pages and commands go on without them.
    """
    try:
        current = migrate.is_current(settings.database_url.get_secret_value())
    except (SQLAlchemyError, OSError) as error:
        log.warning("the records are away; the trail will catch up", error_type=type(error).__name__)
        return
    if not current:
        raise CannotStartError("the records' schema is not the one of this version; run: holdfast migrate")


async def check_server(client: Client) -> None:
    """Raises CannotStartError for a Temporal server that is known to be unsafe."""
    told = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    if is_refused(told.server_version):
        raise CannotStartError(
            f"Temporal server {told.server_version} has a known hole (CVE-2026-5199); use 1.29.5, 1.30.3 or newer"
        )


def is_refused(version: str) -> bool:
    """True for a server version in one of the refused ranges."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        return False
    number = tuple(int(part) for part in found.groups())
    return any(first <= number <= last for first, last in REFUSED_SERVERS)


async def reach(settings: Settings, stop: asyncio.Event) -> Client | None:
    """A client, however long it takes; None when told to stop before."""
    pause, attempt = FIRST_PAUSE, 0
    while not stop.is_set():
        attempt += 1
        try:
            client = await connect(settings)
            await check_server(client)
        except (RuntimeError, RPCError) as error:
            log.warning(
                "Temporal does not answer; trying again",
                address=settings.temporal_address,
                attempt=attempt,
                delay_seconds=pause,
                error_type=type(error).__name__,
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return client
    return None


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop, then finish what was begun. Raises CannotStartError."""
    check_keys(settings)
    await asyncio.to_thread(check_records, settings)
    serving = activities(settings)
    client = await reach(settings, stop)
    if client is None:
        return
    heap.settle()
    async with episode_worker(client, settings, serving):
        log.info("worker ready", address=settings.temporal_address, task_queue=settings.temporal_task_queue)
        await stop.wait()
        log.info("worker stops", delay_seconds=settings.drain_seconds)
    log.info("worker stopped")


async def _serve_until_signalled(settings: Settings) -> None:
    stop = asyncio.Event()

    def end() -> None:
        leave_after(settings.drain_seconds + LATEST_END)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await serve(settings, stop)


def leave_after(seconds: float) -> None:
    """Leave then, whatever still holds the process: what was not finished is begun again by another worker."""

    def leave() -> None:
        log.error("the worker does not end by itself and leaves; what it had begun is begun again elsewhere")
        os._exit(4)

    timer = Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def main(environ: Mapping[str, str] | None = None) -> int:
    """Run the worker; the exit code: 0 stopped, 2 wrong settings, 3 must not start, 4 could not end in time."""
    try:
        settings = load(environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve_until_signalled(settings))
    except CannotStartError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    run_and_leave(main)
