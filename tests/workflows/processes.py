"""A worker of ours as a process of its own, traffic for it, and what must hold when something was done to it."""

from __future__ import annotations

import asyncio
import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from settings import Key, Settings
from tests.activities.providers import MailServer
from tests.workflows.stack import Stack
from tests.workflows.traffic import Traffic

ROOT = Path(__file__).parents[2]
PATIENT = timedelta(seconds=90)
LATE = timedelta(seconds=10)
"""How late a deadline may be seen after everything is up again."""


def environment(settings: Settings, mail: MailServer) -> dict[str, str]:
    """The variables that make a worker process of these settings."""

    def written(keys: tuple[Key, ...]) -> str:
        return ",".join(f"{key.id}:{base64.b64encode(key.secret).decode()}" for key in keys)

    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOLDFAST_VAR": str(settings.var),
        "HOLDFAST_TEMPORAL_ADDRESS": settings.temporal_address,
        "HOLDFAST_TEMPORAL_TASK_QUEUE": settings.temporal_task_queue,
        "HOLDFAST_DATABASE_URL": settings.database_url.get_secret_value(),
        "HOLDFAST_PAYLOAD_KEYS": written(settings.payload_keys),
        "HOLDFAST_RECORD_KEYS": written(settings.record_keys),
        "HOLDFAST_SMTP_PORT": str(mail.port),
        "HOLDFAST_WORKER_CACHE": "3",
    }


async def traffic_until(done: asyncio.Event, traffic: Traffic) -> None:
    await traffic.open()
    while not done.is_set():
        await traffic.step()


async def check(shell: Stack, traffic: Traffic) -> None:
    """Every acknowledged command is in the trail once; no deadline and no page was lost."""
    rows = await shell.recorded(traffic.episode_id)
    last = {row.command_id: row.sequence for row in rows}
    first_of_step = [row.command_id for row in rows if "command" in (row.payload or {})]
    for command_id, receipt in traffic.acknowledged.items():
        assert first_of_step.count(command_id) == 1
        assert last[command_id] == receipt.revision
    view = await shell.episodes.view(traffic.episode_id)
    assert view.episode is not None
    now = datetime.now(UTC)
    for owed in view.episode.obligations.values():
        assert owed.missed or owed.due_at > now - LATE
        assert owed.next_page_at > now - LATE


async def all_pages_reported(shell: Stack, traffic: Traffic) -> list[Any]:
    async with asyncio.timeout(60):
        while True:
            rows = await shell.recorded(traffic.episode_id)
            asked = [row.payload["event"]["page_id"] for row in rows if row.kind == "PageRequested" and row.payload]
            told = [row.payload["event"] for row in rows if row.kind == "PageReported" and row.payload]
            if {report["page_id"] for report in told} >= set(asked[:-4]):
                assert len(told) == len({report["page_id"] for report in told})
                return told
            await asyncio.sleep(0.5)
