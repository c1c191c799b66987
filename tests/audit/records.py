"""Rows, summaries and databases for the tests of the records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text

from audit.database import connect_sync
from audit.sealing import Keyring
from audit.store import Store
from protocol.summary import EpisodeSummary, ObligationSummary
from protocol.trail import Entry, Head, TrailRow, append, genesis, payload_of

SALT_KEY = bytes(range(32))
RING = Keyring([("first", b"1" * 32)])
START = datetime(2026, 11, 1, 9, 0, 0, 123456, tzinfo=UTC)


def rows(count: int, episode_id: str = "ep-1", head: Head | None = None, **event: Any) -> list[TrailRow]:
    """The next rows of an episode's trail."""
    head = head or genesis(episode_id)
    made: list[TrailRow] = []
    for sequence in range(head.sequence + 1, head.sequence + 1 + count):
        at = START + timedelta(seconds=sequence)
        payload = payload_of({"kind": "FactsRecorded", "facts": {"ideation": "yes"}, **event}, {"n": sequence})
        entry = Entry(episode_id, sequence, at, at, "lee", "therapist", f"c-{sequence}", "FactsRecorded", payload)
        made.append(append(head, entry, SALT_KEY))
        head = made[-1].head
    return made


def event_row(
    head: Head, kind: str, event: dict[str, Any], episode_id: str = "ep-1", at: datetime | None = None
) -> TrailRow:
    """One row of a certain kind."""
    at = at or START + timedelta(seconds=head.sequence + 1)
    entry = Entry(episode_id, head.sequence + 1, at, at, "lee", "therapist", "c", kind, payload_of(event))
    return append(head, entry, SALT_KEY)


def owed(obligation_id: str = "ob-1", **changes: Any) -> ObligationSummary:
    """An open obligation."""
    return replace(
        ObligationSummary(
            obligation_id=obligation_id,
            kind="follow_up",
            title="Follow-up contact",
            status="open",
            owner_role="therapist",
            owner="lee",
            opened_at=START,
            due_at=START + timedelta(hours=24),
            missed=False,
            rung=-1,
            next_page_at=START + timedelta(hours=20),
            lease_until=None,
        ),
        **changes,
    )


def summary(revision: int, episode_id: str = "ep-1", **changes: Any) -> EpisodeSummary:
    """An open episode at a revision."""
    return replace(
        EpisodeSummary(
            episode_id=episode_id,
            client_ref="client-1",
            protocol="virtual_iop_crisis",
            protocol_version="1",
            protocol_hash="ab" * 32,
            revision=revision,
            stage="assessment",
            risk="high",
            peak_risk="high",
            owner="lee",
            opened_at=START,
            closed_at=None,
            next_deadline=START + timedelta(hours=20),
            obligations=(owed(),),
        ),
        **changes,
    )


async def fill(store: Store, count: int = 5, episode_id: str = "ep-1", **changes: Any) -> list[TrailRow]:
    """An episode with so many rows in the records."""
    made = rows(count, episode_id)
    await store.append(made, summary(count, episode_id, **changes))
    return made


@contextmanager
def tampering(url: str) -> Iterator[Connection]:
    """The database as somebody holds it who may do anything: triggers are out of the way."""
    engine = connect_sync(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys=OFF"))
    with engine.execution_options(holdfast_writes=True).begin() as connection:
        if engine.dialect.name == "sqlite":
            names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        yield connection
    engine.dispose()


def sqlite_url(folder: Path) -> str:
    """Where the SQLite records of a test live."""
    return f"sqlite:///{folder / 'records.db'}"
