"""Worker and Temporal server are killed with SIGKILL again and again under traffic; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog import get_logger

from settings import Settings
from tests.activities.providers import MailServer, mail_server
from tests.workflows.processes import PATIENT, ROOT, all_pages_reported, check, environment, traffic_until
from tests.workflows.stack import Stack, brisk, free_port, stack, temporal_server, wait_for_port
from tests.workflows.traffic import Traffic
from workflows.client import EpisodeClient

pytestmark = pytest.mark.full
log = get_logger()

KILLS = 21
EPISODES = 5


@dataclass
class Machine:
    """The server and the worker as processes that may be killed at any moment."""

    port: int
    file: Path
    variables: dict[str, str]
    log_file: Path
    kills: dict[str, int] = field(default_factory=lambda: {"worker": 0, "server": 0})
    server: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    worker: subprocess.Popen[bytes] | None = None

    def start_server(self) -> None:
        self.server.enter_context(temporal_server(self.port, self.file))

    def start_worker(self) -> None:
        with self.log_file.open("ab") as output:
            self.worker = subprocess.Popen(
                [sys.executable, str(ROOT / "worker.py")], env=self.variables, stdout=output, stderr=output
            )

    def kill_server(self) -> None:
        self.server.close()  # ends it with SIGKILL
        self.kills["server"] += 1

    def kill_worker(self) -> None:
        assert self.worker is not None
        assert self.worker.poll() is None, self.log_file.read_text()[-2000:]
        self.worker.kill()
        self.worker.wait()
        self.kills["worker"] += 1


@contextlib.contextmanager
def machine(settings: Settings, mail: MailServer, port: int, file: Path) -> Iterator[Machine]:
    made = Machine(port, file, environment(settings, mail), settings.var / "worker.log")
    made.start_server()
    try:
        yield made
    finally:
        if made.worker is not None:
            made.worker.kill()
            made.worker.wait()
        made.server.close()


async def kill_again_and_again(machine: Machine, chance: random.Random) -> None:
    while sum(machine.kills.values()) < KILLS:
        await asyncio.sleep(1.5 + 2 * chance.random())
        what = chance.choice(("worker", "worker", "server", "both"))
        if what in ("server", "both"):
            await asyncio.to_thread(machine.kill_server)
        if what in ("worker", "both"):
            machine.kill_worker()
        await asyncio.sleep(chance.random())
        if what in ("server", "both"):
            await asyncio.to_thread(machine.start_server)
        if what in ("worker", "both"):
            machine.start_worker()


async def test_killing_anything_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chance = random.Random(4711)
    port = free_port()
    async with mail_server() as mail, contextlib.AsyncExitStack() as opened:
        file = tmp_path / "temporal.db"
        with temporal_server(port, file):
            wait_for_port(port)
            shell = await opened.enter_async_context(stack(tmp_path, port))
        monkeypatch.setattr(Stack, "episodes", EpisodeClient(shell.client, shell.settings.temporal_task_queue, PATIENT))
        with machine(shell.settings, mail, port, file) as running:
            running.start_worker()
            done = asyncio.Event()
            traffic = [Traffic(shell, brisk(), random.Random(f"kill-{number}")) for number in range(EPISODES)]
            driving = [asyncio.create_task(traffic_until(done, one)) for one in traffic]
            await kill_again_and_again(running, chance)
            done.set()
            await asyncio.gather(*driving)
            for one in traffic:
                await check(shell, one)
            reports = [report for one in traffic for report in await all_pages_reported(shell, one)]
            assert sum(running.kills.values()) >= KILLS
            assert min(running.kills.values()) > 0
            delivered = [report for report in reports if report["delivered"]]
            assert len(delivered) > EPISODES
            sent = {str(message["Message-ID"]) for message in mail.received}
            for report in delivered:
                assert any(report["page_id"] in one for one in sent)
            acknowledged = sum(len(one.acknowledged) for one in traffic)
            log.info("survived", kills=running.kills, acknowledged=acknowledged, pages=len(reports))
