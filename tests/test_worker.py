"""The worker as a process: when it must not start, how it waits for Temporal, how it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.client import Client

import worker
from audit import migrate
from protocol import engine
from protocol.commands import RecordFacts
from settings import Settings
from tests.workflows.stack import brisk, command, free_port, opening, settings_for, stack, temporal_server
from worker import CannotStartError, check_keys, is_refused

ROOT = Path(__file__).parents[1]
GIVEN_UP = 2.0
"""Seconds after which the SDK gives up a workflow task."""


def variables(folder: Path, **more: str) -> dict[str, str]:
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOLDFAST_VAR": str(folder)}
    return told | {f"HOLDFAST_{name.upper()}": value for name, value in more.items()}


@asynccontextmanager
async def process(environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "worker.py"), env=environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def says(child: asyncio.subprocess.Process, what: str) -> str:
    """The line in which the process says it."""
    assert child.stderr is not None
    async with asyncio.timeout(60):
        while line := (await child.stderr.readline()).decode():
            if what in line:
                return line
    raise AssertionError(f"it never said {what!r}")


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        ("1.28.9", False),
        ("1.29.0", True),
        ("1.29.4", True),
        ("1.29.5", False),
        ("1.30.0", True),
        ("v1.30.2-rc.1", True),
        ("1.30.3", False),
        ("1.32.0", False),
        ("", False),
    ],
)
def test_servers_with_a_known_hole_are_refused(version: str, refused: bool):
    assert is_refused(version) is refused


@pytest.mark.parametrize("missing", ["payload_keys", "record_keys"])
def test_without_a_key_it_does_not_start(missing: str):
    keys = {name: f"k1:{'A' * 43}=" for name in ("payload_keys", "record_keys") if name != missing}
    with pytest.raises(CannotStartError, match=f"set HOLDFAST_{missing.upper()}"):
        check_keys(Settings.model_validate_strings(keys))


@pytest.mark.full
async def test_wrong_settings_are_said_and_end_with_2(tmp_path: Path):
    async with process(variables(tmp_path, smtp_port="many")) as child:
        await says(child, "HOLDFAST_SMTP_PORT")
        assert await child.wait() == 2


@pytest.mark.full
async def test_records_without_their_schema_end_with_3(tmp_path: Path):
    async with process(variables(tmp_path)) as child:
        await says(child, "run: holdfast migrate")
        assert await child.wait() == 3


@pytest.mark.full
async def test_a_broken_rota_ends_with_3(tmp_path: Path):
    rota = tmp_path / "rota.yaml"
    rota.write_text("people: []\n")
    migrate.upgrade(f"sqlite:///{tmp_path / 'holdfast.db'}")
    async with process(variables(tmp_path, rota=str(rota))) as child:
        await says(child, "the rota can't be read")
        assert await child.wait() == 3


def test_a_worker_that_hangs_leaves_in_the_end_and_says_so():
    hanging = "import threading, worker; worker.leave_after(0.1); threading.Event().wait()"
    told = subprocess.run([sys.executable, "-c", hanging], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert told.returncode == 4
    assert "the worker does not end by itself and leaves" in told.stdout + told.stderr


@pytest.mark.full
async def test_a_task_that_took_too_long_does_not_keep_the_worker_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, slow = engine.decide, threading.Event()

    def decide(*told: Any) -> Any:
        if slow.is_set():
            slow.clear()
            time.sleep(GIVEN_UP + 1)  # like a thread that gets no processor
        return real(*told)

    port = free_port()
    with temporal_server(port):
        async with stack(tmp_path, port, worker_sandbox=False, drain_seconds=0.0) as shell:
            monkeypatch.setattr(engine, "decide", decide)
            async with shell.worker():
                opened = opening()
                await shell.episodes.open(brisk(), opened)
                slow.set()
                fact = command(RecordFacts, facts={"distress_1": 2})
                assert (await shell.episodes.submit(opened.episode_id, fact)).refusal is None
                begun = time.monotonic()
            assert time.monotonic() - begun < 10


@pytest.mark.full
async def test_it_waits_for_temporal_and_stops_when_told(tmp_path: Path):
    migrate.upgrade(f"sqlite:///{tmp_path / 'holdfast.db'}")
    address = f"127.0.0.1:{free_port()}"
    async with process(variables(tmp_path, temporal_address=address)) as child:
        for _ in range(2):
            assert address in await says(child, "Temporal does not answer; trying again")
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 15) == 0


@pytest.mark.full
async def test_it_finishes_what_it_began_before_it_stops(tmp_path: Path):
    port = free_port()
    with temporal_server(port):
        async with stack(tmp_path, port) as shell:
            shell.pager.seconds = 1.0
            told = shell.settings.model_copy(update={"drain_seconds": 10.0})
            serving = [worker.Recording(shell.records, 2).append_rows, shell.pager.deliver_page]
            running = worker.episode_worker(shell.client, told, serving)
            async with running:
                opened = opening()
                await shell.episodes.open(brisk(), opened)
                while not shell.pager.pages:
                    await asyncio.sleep(0.05)
                begun = time.monotonic()
            assert 0.5 < time.monotonic() - begun < 8
            async with shell.worker():
                rows = await shell.recorded(opened.episode_id)
                while not any(row.kind == "PageReported" for row in rows):
                    await asyncio.sleep(0.1)
                    rows = await shell.recorded(opened.episode_id)
            assert len(shell.pager.pages) == 1, "the page left once, before the stop"


def test_many_pollers_wait_for_steps_however_quiet_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server writes each task to disk that finds none waiting."""
    told: dict[str, Any] = {}

    def made(*_: Any, **options: Any) -> None:
        told.update(options)

    monkeypatch.setattr(worker, "Worker", made)
    worker.episode_worker(cast("Client", None), settings_for(tmp_path, 1), [])
    asked = told["workflow_task_poller_behavior"]
    assert (asked.minimum, asked.initial) == (worker.LEAST_POLLERS, worker.LEAST_POLLERS) == (16, 16)
