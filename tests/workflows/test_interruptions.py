"""The worker is replaced under traffic, and cut off from its server; nothing acknowledged and no deadline is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.activities.providers import mail_server
from tests.postgresql import postgresql
from tests.workflows.processes import PATIENT, ROOT, all_pages_reported, check, environment, traffic_until
from tests.workflows.stack import Stack, brisk, free_port, stack, temporal_server
from tests.workflows.traffic import Traffic
from tests.workflows.wire import wire
from workflows.client import EpisodeClient

pytestmark = pytest.mark.full

EPISODES = 4
REPLACED = 3
DRAIN_SECONDS = 5.0
ALLOWED_SECONDS = DRAIN_SECONDS + 8.0
BREAKS = 8
"""Of the connection to the records, each at another place of a transaction."""
CUTS: tuple[tuple[dict[str, bool], float], ...] = (
    ({"silently": True}, 3.0),
    ({"silently": False}, 3.0),
    ({"silently": True, "there": False}, 12.0),
    ({"silently": True, "back": False}, 3.0),
    ({"silently": True}, 12.0),
)
"""Silent, with a reset or one way only, and for how long: 12 s are longer than the time limit of a workflow task.

Where only the way back is cut, the server takes the worker's answers, and the worker never hears of it.
"""


class Child:
    """A worker process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process, said: Path) -> None:
        self.process, self._said = process, said

    async def ready(self) -> None:
        async with asyncio.timeout(60):
            while "worker ready" not in self._said.read_text():
                assert self.process.returncode is None, self._said.read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def stopped(self) -> int:
        """The exit code after being told to stop."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(ALLOWED_SECONDS):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def child(variables: Mapping[str, str], said: Path) -> AsyncIterator[Child]:
    with said.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "worker.py"), env=dict(variables), stdout=output, stderr=output
        )
    try:
        made = Child(process, said)
        await made.ready()
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def driven(shell: Stack, name: str) -> AsyncIterator[list[Traffic]]:
    """Traffic for some episodes while the block runs; afterwards nothing of it may be lost."""
    done = asyncio.Event()
    traffic = [Traffic(shell, brisk(), random.Random(f"{name}-{number}")) for number in range(EPISODES)]
    driving = [asyncio.create_task(traffic_until(done, one)) for one in traffic]
    try:
        yield traffic
        done.set()
        await asyncio.gather(*driving)
    finally:
        for task in driving:
            task.cancel()
    for one in traffic:
        await all_pages_reported(shell, one)
        await check(shell, one)


def count(traffic: list[Traffic]) -> int:
    """Commands acknowledged so far."""
    return sum(len(one.acknowledged) for one in traffic)


async def acknowledged(traffic: list[Traffic], more: int) -> None:
    """Wait until so many more commands were acknowledged."""
    enough = count(traffic) + more
    async with asyncio.timeout(60):
        while count(traffic) < enough:
            await asyncio.sleep(0.1)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    def episodes(shell: Stack) -> EpisodeClient:
        return EpisodeClient(shell.client, shell.settings.temporal_task_queue, PATIENT)

    monkeypatch.setattr(Stack, "episodes", property(episodes))


@pytest.mark.usefixtures("patient")
async def test_workers_are_replaced_one_by_one_under_traffic(tmp_path: Path):
    port = free_port()
    with temporal_server(port):
        async with mail_server() as mail, stack(tmp_path, port, drain_seconds=DRAIN_SECONDS) as shell:
            variables = environment(shell.settings, mail) | {"HOLDFAST_DRAIN_SECONDS": str(DRAIN_SECONDS)}
            async with contextlib.AsyncExitStack() as workers:
                old = await workers.enter_async_context(child(variables, tmp_path / "worker-0.log"))
                async with driven(shell, "replaced") as traffic:
                    for number in range(1, REPLACED + 1):
                        new = await workers.enter_async_context(child(variables, tmp_path / f"worker-{number}.log"))
                        assert await old.stopped() == 0
                        await acknowledged(traffic, 2 * EPISODES)
                        old = new


@pytest.mark.usefixtures("patient")
async def test_a_worker_cut_off_from_its_server_goes_on_when_the_wire_is_mended(tmp_path: Path):
    port = free_port()
    with temporal_server(port):
        async with mail_server() as mail, stack(tmp_path, port) as shell, wire(port) as (between, near):
            variables = environment(shell.settings, mail) | {"HOLDFAST_TEMPORAL_ADDRESS": f"127.0.0.1:{near}"}
            async with child(variables, tmp_path / "worker.log") as running, driven(shell, "cut") as traffic:
                for how, seconds in CUTS:
                    await acknowledged(traffic, 2 * EPISODES)
                    between.cut(**how)
                    before = count(traffic)
                    await asyncio.sleep(seconds)
                    assert count(traffic) <= before + 3 * EPISODES, "nothing passes but what was under way"
                    between.mend()
                await acknowledged(traffic, 2 * EPISODES)
                assert running.process.returncode is None


@pytest.mark.usefixtures("patient")
async def test_records_that_are_slow_and_break_off_in_the_middle_have_everything_once(tmp_path: Path):
    port = free_port()
    with temporal_server(port), postgresql() as server:
        records, socket = server.get_uri(), Path(server.pgdata) / ".s.PGSQL.5432"
        async with (
            mail_server() as mail,
            stack(tmp_path, port, database_url=SecretStr(records)) as shell,
            wire(socket) as (between, near),
        ):
            far = f"postgresql://postgres@127.0.0.1:{near}/postgres?sslmode=disable&gssencmode=disable"
            variables = environment(shell.settings, mail) | {"HOLDFAST_DATABASE_URL": far}
            async with child(variables, tmp_path / "worker.log") as running, driven(shell, "far") as traffic:
                between.seconds = 0.03
                for pieces in random.Random(7).sample(range(3, 60), BREAKS):
                    between.break_after(pieces)
                    async with asyncio.timeout(60):
                        while between.has_yet_to_break:
                            await acknowledged(traffic, 1)
                between.cut(silently=True)
                await acknowledged(traffic, 2 * EPISODES)
                between.mend()
                await acknowledged(traffic, 2 * EPISODES)
                assert running.process.returncode is None
