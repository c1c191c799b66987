"""The product as `holdfast up` runs it, in a folder of its own: a Temporal server on a SQLite file, `worker.py`.

Each is a real process with the very command and settings of the embedded stack, on loopback ports that were free.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from temporalio.client import Client

from audit.migrate import upgrade
from cli.health import temporal_serves
from cli.parts import temporal_server, web, worker
from settings import Settings, load
from workflows.client import EpisodeClient
from workflows.connection import connect

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
T = TypeVar("T")


class Process:
    """A child process that can be killed and started again, and what the system says of it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        """A new process with the same command."""
        self._process = self._spawn()

    def end(self) -> None:
        """Ask it to end; kill it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Embedded:
    """A running server, its worker once started, and a client."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self.settings = settings
        self._environment, self._log = environment, log
        self._processes: list[Process] = []

    @property
    def episodes(self) -> EpisodeClient:
        """The product's own client."""
        return EpisodeClient(self.client, self.settings.temporal_task_queue)

    async def start_server(self) -> Process:
        """The Temporal server, once it serves."""
        child = temporal_server(self.settings)
        self.server = self.start(child.command, {**child.environment, **self._environment})
        await until(lambda: temporal_serves(self.settings))
        self.client: Client = await connect(self.settings)
        return self.server

    def start_worker(self, **settings: object) -> Process:
        """The product's worker; some settings may differ."""
        more = {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
        child = worker(self.settings)
        return self.start(child.command, {**child.environment, **self._environment, **more})

    async def start_web(self) -> Process:
        """The web application, once it answers."""
        child = web(self.settings)
        process = self.start(child.command, {**child.environment, **self._environment})
        await until(child.ready)
        return process

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Any process, ended with the stack."""
        self._processes.append(Process(command, environment, self._log))
        return self._processes[-1]

    def start_module(self, module: str, *arguments: str) -> Process:
        """A module of ours in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self._environment}
        return self.start((sys.executable, "-m", module, *arguments), environment)

    def stored(self, pattern: str) -> int:
        """Bytes of the files of that name under the folder."""
        return sum(file.stat().st_size for file in self.settings.var.glob(pattern))

    def end(self) -> None:
        """End every process, the last started first."""
        for process in reversed(self._processes):
            process.end()


@asynccontextmanager
async def embedded(**settings: object) -> AsyncIterator[Embedded]:
    """A server on free ports and migrated records; no worker yet. Everything ends and is removed with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        told: dict[str, object] = {
            "var": folder,
            "temporal_address": f"127.0.0.1:{free_port()}",
            "temporal_ui_port": 0,
            "log_level": "error",
            **settings,
        }
        environment = {f"HOLDFAST_{name.upper()}": str(value) for name, value in told.items()}
        loaded = load(environment)
        with (Path(folder) / "processes.log").open("wb") as log:
            stack = Embedded(loaded, environment, log)
            try:
                await asyncio.to_thread(upgrade, loaded.database_url.get_secret_value())
                await stack.start_server()
                yield stack
            finally:
                await asyncio.to_thread(stack.end)


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = READY_SECONDS) -> None:
    """Wait for an awaitable answer to become true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError("a part of the benchmark did not come up")
        await asyncio.sleep(0.05)


async def at_once(work: Iterable[Callable[[], Awaitable[object]]], most: int = 16) -> None:
    """Do all of the work, some of it at once."""
    waiting = iter(work)

    async def go_on() -> None:
        for one in waiting:
            await one()

    await asyncio.gather(*(go_on() for _ in range(most)))


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop that the worker has in production."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
