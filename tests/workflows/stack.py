"""A real Temporal server, real SQLite records and a worker of ours, for tests of the durable shell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.paging import Paging
from activities.recording import Recording
from audit import database, migrate, sealing, store
from audit.queries import Queries
from protocol.commands import OpenEpisode
from protocol.spec import ProtocolSpec
from protocol.trail import TrailRow, verify
from protocol_specs.loader import load_protocol
from settings import Key, Settings
from worker import episode_worker
from workflows import ports
from workflows.client import EpisodeClient
from workflows.connection import connect

MINIMAL = Path(__file__).parents[1] / "specs" / "minimal.yaml"
T = TypeVar("T")
TEMPORAL = Path(sys.executable).with_name("temporal")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def temporal_server(port: int, file: Path | None = None, *told: str) -> Iterator[subprocess.Popen[bytes]]:
    """The embedded server, headless, quick with activities and timers; on a file it survives a kill."""
    one_queue = ("matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1")
    quick = ("history.transferProcessorMaxPollRPS=2000", "history.timerProcessorMaxPollRPS=2000")
    options = [option for value in (*one_queue, *quick, *told) for option in ("--dynamic-config-value", value)]
    if file is not None:
        options += ["--db-filename", str(file), "--sqlite-pragma", "journal_mode=wal"]
        options += ["--sqlite-pragma", "synchronous=normal"]
    server = subprocess.Popen(
        [TEMPORAL, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield server
    finally:
        server.kill()
        server.wait()


def wait_for_port(port: int, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def brisk(*channels: str, repeat: str = "20s") -> ProtocolSpec:
    """The fixture protocol with an emergency whose deadline and pages come within seconds."""
    document = json.loads(load_protocol(MINIMAL).canonical())
    ladder = document["ladders"]["minutes"]
    for rung in ladder["rungs"]:
        rung |= {"wait": "2s", "channels": list(channels or ("email",))}
    ladder |= {"repeat": repeat, "lease": "3s"}
    document["obligations"]["emergency_help"]["due"] = "2s"
    document["obligations"]["emergency_limit"]["due"] = "3s"
    return ProtocolSpec.model_validate_json(json.dumps(document))


def key(name: str = "k1") -> Key:
    return Key(id=name, secret=os.urandom(32))


def settings_for(folder: Path, port: int, **more: Any) -> Settings:
    told: dict[str, Any] = {
        "temporal_address": f"127.0.0.1:{port}",
        "temporal_task_queue": f"q-{uuid.uuid4()}",
        "database_url": SecretStr(f"sqlite:///{folder / 'records.db'}"),
        "payload_keys": (key(),),
        "record_keys": (key(),),
        "var": folder,
        "worker_sandbox": True,
        "drain_seconds": 1.0,
    }
    return Settings(**{**told, **more})


class AwayError(ConnectionError):
    """The records are away."""


class FaultyRecords:
    """The real store behind a switch, and a way to let a write land and its answer get lost."""

    def __init__(self, real: store.Store) -> None:
        self.real = real
        self.away = False
        self.lose_answer = 0
        self.batches = 0
        self.documents = 0

    async def append(self, rows: Sequence[Any], summary: Any) -> Any:
        if self.away:
            raise AwayError
        head = await self.real.append(rows, summary)
        self.batches += 1
        if self.lose_answer:
            self.lose_answer -= 1
            raise AwayError
        return head

    async def knows_protocol(self, content_hash: str) -> bool:
        if self.away:
            raise AwayError
        return await self.real.knows_protocol(content_hash)

    async def save_protocol(self, content_hash: str, name: str, version: str, document: str) -> None:
        if self.away:
            raise AwayError
        await self.real.save_protocol(content_hash, name, version, document)
        self.documents += 1


@dataclass
class Pager:
    """The port of the paging activity, with a provider that can be slow or dead."""

    seconds: float = 0.0
    dead: bool = False
    pages: list[ports.PageOrder] = field(default_factory=list)

    @activity.defn(name=ports.DELIVER_PAGE)
    async def deliver_page(self, order: ports.PageOrder) -> ports.PageReport:
        self.pages.append(order)
        await asyncio.sleep(self.seconds)
        if self.dead:
            return ports.PageReport(delivered=False, recipients=(), detail="the provider is dead")
        return ports.PageReport(delivered=True, recipients=("ruth",), detail="taken by email")

    @activity.defn(name=ports.REQUEST_REFERRAL)
    async def request_referral(self, _order: ports.ReferralOrder) -> bool:
        return True


@dataclass
class Stack:
    """Everything that a test of the shell needs."""

    settings: Settings
    client: Client
    records: FaultyRecords
    pager: Pager
    queries: Queries

    @property
    def episodes(self) -> EpisodeClient:
        return EpisodeClient(self.client, self.settings.temporal_task_queue, timedelta(seconds=20))

    def worker(self, paging: Paging | None = None, **changes: Any) -> Worker:
        told = self.settings.model_copy(update=changes)
        serving = [
            Recording(self.records, at_once=2).append_rows,
            (paging or self.pager).deliver_page,
            self.pager.request_referral,
        ]
        return episode_worker(self.client, told, serving)

    async def rows(self, episode_id: str) -> Sequence[TrailRow]:
        """The trail of an episode as the records have it."""
        return await self.queries.trail_rows(episode_id, limit=100_000)

    async def recorded(self, episode_id: str) -> Sequence[TrailRow]:
        """The trail once it holds all that the workflow has decided; verified against the workflow's own head."""
        async with asyncio.timeout(60):
            while (view := await self.episodes.view(episode_id)).unrecorded:
                await asyncio.sleep(0.2)
        rows = await self.rows(episode_id)
        fault = verify(rows, episode_id, view.head)
        assert fault is None, fault
        return rows


@contextlib.asynccontextmanager
async def stack(folder: Path, port: int, **more: Any) -> AsyncIterator[Stack]:
    """Migrated records and a client; no worker runs yet."""
    settings = settings_for(folder, port, **more)
    url = settings.database_url.get_secret_value()
    await asyncio.to_thread(migrate.upgrade, url)
    engine = database.connect(url)
    ring = sealing.Keyring((one.id, one.secret) for one in settings.record_keys)
    records = FaultyRecords(store.Store(engine, ring))
    try:
        yield Stack(settings, await connect(settings), records, Pager(), Queries(engine, ring))
    finally:
        await engine.dispose()


def command(kind: type[T], **more: Any) -> T:
    """A command by the therapist Maya, now."""
    told: dict[str, Any] = {
        "command_id": str(uuid.uuid4()),
        "actor": "maya",
        "role": "therapist",
        "occurred_at": datetime.now(UTC),
    }
    return kind(**{**told, **more})


def opening(**more: Any) -> OpenEpisode:
    """A new episode of Maya's."""
    told = {"episode_id": str(uuid.uuid4()), "client_ref": f"client-{uuid.uuid4()}", "owner": "maya"}
    return command(OpenEpisode, **{**told, **more})
