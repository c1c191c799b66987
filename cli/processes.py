"""Child processes that are kept alive, and stopped in order.

A child runs in a session of its own, so that Ctrl-C in a terminal reaches only the supervisor, which then
stops each child in turn. On Linux a child also dies with its supervisor, even when that is killed by `kill -9`;
the next start finds its ports free.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Seconds before a child that died is started again: doubled at each death, back to the first after a steady run.
FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
STEADY_SECONDS = 30.0
#: Seconds a child may take to be ready at the first start.
READY_SECONDS = 60.0
READY_POLL_SECONDS = 0.05
LARGEST_LOG = 10_000_000
_PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


class ChildFailed(Exception):
    """A child ended, or did not become ready, at the first start; the message ends with its last words."""


@dataclass(frozen=True)
class Child:
    """A program to keep alive. `ready` answers whether it serves; `grace_seconds` is its time to end by itself."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    grace_seconds: float


class Keeper:
    """Keeps one child alive from `start` to `stop`."""

    def __init__(self, child: Child, logs: Path, say: Say) -> None:
        self.child = child
        self.log = logs / f"{child.name}.log"
        self._say = say
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running child; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the child and wait until it is ready. Raises ChildFailed when it is not within READY_SECONDS."""
        _rotate(self.log)
        process = await self._spawn()
        deadline = time.monotonic() + READY_SECONDS
        while not await self.child.ready():
            if process.returncode is not None:
                raise ChildFailed(f"{self.child.name} {_ending(process.returncode)} at once.\n{_tail(self.log)}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self.child.name} is not ready after {READY_SECONDS:g} s.\n{_tail(self.log)}")
            await asyncio.sleep(READY_POLL_SECONDS)
        self._keeping = asyncio.create_task(self._keep(process))

    async def stop(self) -> None:
        """End the child: ask, wait its grace, then kill."""
        self._stopping.set()
        await self._end()
        if self._keeping is not None:
            await self._keeping
            await self._end()  # one that was just being started again

    def kill(self) -> None:
        """End the child now, for good; `stop` still has to follow."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        delay, began = FIRST_DELAY, time.monotonic()
        while True:
            code = await process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = FIRST_DELAY
            self._say(f"{self.child.name} {_ending(code)}; it is started again in {delay:g} s. See {self.log}")
            if await self._stops_within(delay):
                return
            delay, began = min(delay * 2, LONGEST_DELAY), time.monotonic()
            process = await self._spawn()

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _spawn(self) -> asyncio.subprocess.Process:
        with _opened(self.log) as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.child.environment),
                start_new_session=True,
                preexec_fn=_dying_with_parent(),
            )
        return self._process

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.child.grace_seconds)
        except TimeoutError:
            self._say(f"{self.child.name} did not end within {self.child.grace_seconds:g} s and is killed")
            self.kill()
            await process.wait()


def _dying_with_parent() -> Callable[[], None] | None:
    """What the forked child runs first: ask Linux to kill it when its parent dies. Elsewhere nothing."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before we asked
            os._exit(1)

    return ask


def _opened(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return log.open("ab")


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def _tail(log: Path, lines: int = 15) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
