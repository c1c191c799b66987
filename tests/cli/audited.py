"""Records with one episode, for the tests of the auditor's commands."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from audit.checkpoints import Checkpointer
from audit.database import connect
from audit.lists import folded
from audit.migrate import upgrade
from audit.sealing import Keyring
from audit.signatures import SigningKeys
from audit.store import Store
from protocol import commands as c
from protocol.episode import Episode
from protocol.summary import summarise
from protocol.trail import TrailRow
from settings import load
from tests.protocol.specs import compact
from tests.protocol.story import START, Story


def told() -> Story:
    """A deadline missed, an entry written late, an addendum."""
    story = Story.begun().in_follow_up()
    story.later("73h").contact(ago="2h")
    story.do(c.AddAddendum, refers_to=2, text="Seen on video.")
    return story


def tamper(url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TRIGGER trail_no_update")
        connection.execute("UPDATE trail SET role = 'supervisor' WHERE sequence = 5")


def keep(url: str, rows: list[TrailRow], end: Episode) -> None:
    """New records with these rows of the story."""
    upgrade(url)

    async def record() -> None:
        records = connect(url)
        store = Store(records, Keyring((key.id, key.secret) for key in load().record_keys))
        spec = compact()
        await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
        await store.append(rows, summarise(spec, end))
        await records.dispose()

    asyncio.run(record())


def restore_old_backup(url: str, rows: int) -> None:
    """The records as they were after so many rows."""
    Path(url.removeprefix("sqlite:///")).unlink()
    earlier = told().engine.rows[:rows]
    keep(url, earlier, folded(earlier))


def signed_now(url: str) -> None:
    """What the watchdog does every minute."""

    async def make() -> None:
        records = connect(url)
        keys = SigningKeys((key.id, key.secret) for key in load().signing_keys)
        await Checkpointer(records, keys, lambda: START).make()
        await records.dispose()

    asyncio.run(make())
