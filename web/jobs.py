"""Long work on protocols in processes of their own: a queue, how far each is, and a way to stop it.

What is queued or under way lives in this process and is lost with it; what was found is kept in the records.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import structlog

from practice.protocol_results import Found, Kind, ProtocolResults

log = structlog.get_logger()

AT_ONCE = 2
"""Processes at the same time."""
MOST_WAITING = 20
LONGEST_SECONDS = 900.0
"""After which a job is given up, however far it is."""
LONGEST_LINE = 64 * 1024**2
"""Bytes; a result is one line."""
MOST_KEPT = 200
"""Jobs that are over and still told about."""
HERE = Path(__file__).resolve().parent.parent

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Busy(Exception):
    """The job is not taken now; the message says why and what to do."""


@dataclass
class Job:
    """Something to be found out about one version."""

    key: str
    """The same key is the same job."""
    by: str
    keys: Mapping[Kind, str]
    """What is to be found, and under which key it is kept."""
    protocol_hash: str
    asked_at: datetime
    request: bytes
    state: State = "waiting"
    progress: dict[str, str] = field(default_factory=dict[str, str])
    """`doing`, `done` so far, and what was done `last`."""
    why: str = ""
    """Why it failed."""

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        return self.state in ("done", "failed", "stopped")


class Jobs:
    """The jobs of this process."""

    def __init__(
        self,
        results: ProtocolResults,
        clock: Callable[[], datetime],
        command: Sequence[str] = (sys.executable, "-m", "protocol_specs.workbench"),
    ) -> None:
        self._results, self._clock, self._command = results, clock, tuple(command)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    def start(self, key: str, by: str, keys: Mapping[Kind, str], protocol_hash: str, request: dict[str, Any]) -> Job:
        """Begin a job, or join the one of this key. Raises Busy: one at a time for each person."""
        known = self._jobs.get(key)
        if known is not None and not known.over:
            return known
        waiting = [one for one in self._jobs.values() if not one.over]
        if any(one.by == by for one in waiting):
            raise Busy("One of yours is still under way. Wait for it, or stop it first.")
        if len(waiting) >= MOST_WAITING:
            raise Busy("Too much is waiting already. Try again in a few minutes.")
        self._jobs.pop(key, None)
        told = json.dumps({"kinds": list(keys), **request}).encode()
        job = self._jobs[key] = Job(key, by, keys, protocol_hash, self._clock(), told)
        for old in [one for one in self._jobs.values() if one.over][:-MOST_KEPT]:
            del self._jobs[old.key]
        self._tasks[key] = asyncio.create_task(self._run(job))
        return job

    def get(self, key: str) -> Job | None:
        """The job of this key; None when there is none."""
        return self._jobs.get(key)

    def everything(self) -> list[Job]:
        """All jobs that are still told about."""
        return list(self._jobs.values())

    def of(self, by: str) -> Job | None:
        """What this person has under way."""
        return next((one for one in self._jobs.values() if one.by == by and not one.over), None)

    def ahead_of(self, job: Job) -> int:
        """How many jobs are before one that waits."""
        before = [one for one in self._jobs.values() if one.state == "waiting"]
        return before.index(job) if job in before else 0

    async def stop(self, key: str) -> None:
        """Give a job up; its process is ended."""
        task = self._tasks.get(key)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def end(self) -> None:
        """Give all up."""
        for key in list(self._tasks):
            await self.stop(key)

    async def _run(self, job: Job) -> None:
        try:
            async with self._places, asyncio.timeout(LONGEST_SECONDS):
                job.state = "running"
                found = await self._ask(job)
                for kind, result in found.items():
                    key = job.keys[kind]
                    await self._results.keep(Found(kind, key, job.protocol_hash, result, job.by, self._clock()))
                job.state = "done"
        except asyncio.CancelledError:
            job.state = "stopped"
        except TimeoutError:
            job.state, job.why = "failed", f"It took longer than {LONGEST_SECONDS / 60:.0f} minutes and was given up."
        except Exception as error:
            log.exception("work on a protocol failed", exc_info=error)
            job.state, job.why = "failed", "It could not be finished: too large, or a fault of ours."
        finally:
            job.request = b""
            self._tasks.pop(job.key, None)

    async def _ask(self, job: Job) -> dict[Kind, dict[str, Any]]:
        """The result of a process. Raises RuntimeError when it ends without one."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, cwd=HERE, limit=LONGEST_LINE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(ConnectionError):
                process.stdin.write(job.request)
                process.stdin.write_eof()
                await process.stdin.drain()
            async for line in process.stdout:
                said = json.loads(line)
                if "result" in said:
                    return said["result"]
                job.progress = said
            raise RuntimeError("the process ended without a result")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
