"""An export of ten thousand episodes: what it takes, and that its memory does not grow with their number.

The episodes are short, for what counts here is how many there are; `audit` exports long ones.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from audit.checkpoints import Checkpointer
from audit.database import connect
from audit.migrate import upgrade
from benchmarks.audit import AT, KEYS, exported, fill

EPISODES, EVENTS = 10_000, 8


def run() -> list[dict[str, Any]]:
    """A tenth of them, then all."""
    return asyncio.run(_run())


async def _run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        upgrade(url := f"sqlite:///{folder}/bench.db")
        records = connect(url)
        await fill(records, EPISODES, EVENTS)
        await Checkpointer(records, KEYS, lambda: AT).make()
        table = await exported(records, Path(folder), (EPISODES // 10, EPISODES))
        await records.dispose()
        return table
