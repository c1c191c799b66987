"""The tables of the records. The migrations make them; a test holds the two together.

`trail`, `protocols`, `publications`, `checkpoints`, `accesses`, `releases`, `holds` and `ledger` only ever grow:
triggers refuse UPDATE and DELETE. `ledger_waiting` is filled by triggers and emptied into the ledger. `episodes`,
`obligations`, `pages` and `rises` are projections: what lists need, made from the trail and replaceable. `tallies` are
counts that name no episode and nobody. Hashes are lower-case hexadecimal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

from protocol.canonical import rfc3339


class Moment(TypeDecorator[datetime]):
    """An aware UTC time to the microsecond: timestamptz on PostgreSQL, RFC 3339 text on SQLite (it sorts)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        sqlite, postgresql = Text(), DateTime(timezone=True)
        return dialect.type_descriptor(sqlite) if dialect.name == "sqlite" else dialect.type_descriptor(postgresql)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        written = rfc3339(value)  # refuses a time without a zone on both databases
        return written if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

trail = Table(
    "trail",
    metadata,
    Column("episode_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", Text, ForeignKey("client_keys.key_id"), nullable=False),
    Column("commitment", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("written_at", Moment, nullable=False),
    CheckConstraint("sequence >= 1", name="sequence"),
    Index(
        "ix_trail_missed",
        "episode_id",
        sqlite_where=text("kind = 'DeadlineMissed'"),
        postgresql_where=text("kind = 'DeadlineMissed'"),
    ),
    sqlite_strict=True,
)

protocols = Table(
    "protocols",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    sqlite_strict=True,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("previous", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("marks", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", Text, nullable=False),
    CheckConstraint("number >= 1", name="number"),
    sqlite_strict=True,
)

publications = Table(
    "publications",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("act", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("protocol_hash", Text, ForeignKey("protocols.hash"), nullable=False),
    Column("said", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", Text, nullable=False),
    CheckConstraint("number >= 1", name="number"),
    sqlite_strict=True,
)

client_keys = Table(
    "client_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("client_ref", Text, nullable=False),
    Column("kek_id", Text),
    Column("wrapped_key", LargeBinary),
    Column("created_at", Moment, nullable=False),
    Column("destroyed_at", Moment),
    CheckConstraint("(wrapped_key IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
    Index(
        "ix_client_keys_usable",
        "client_ref",
        unique=True,
        sqlite_where=text("destroyed_at IS NULL"),
        postgresql_where=text("destroyed_at IS NULL"),
    ),
    sqlite_strict=True,
)

episodes = Table(
    "episodes",
    metadata,
    Column("episode_id", Text, primary_key=True),
    Column("client_ref", Text, nullable=False, index=True),
    Column("protocol", Text, nullable=False),
    Column("protocol_version", Text, nullable=False),
    Column("protocol_hash", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("peak_risk", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("next_deadline", Moment),
    Column("drill", Boolean, nullable=False),
    Index("ix_episodes_queue", "closed_at", "next_deadline"),
    Index("ix_episodes_owner", "owner", "closed_at", "next_deadline"),
)

obligations = Table(
    "obligations",
    metadata,
    Column("episode_id", Text, ForeignKey("episodes.episode_id"), primary_key=True),
    Column("obligation_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner_role", Text, nullable=False),
    Column("owner", Text, nullable=False, index=True),
    Column("opened_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False, index=True),
    Column("missed", Boolean, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("next_page_at", Moment),
    Column("lease_until", Moment),
)

pages = Table(
    "pages",
    metadata,
    Column("episode_id", Text, ForeignKey("episodes.episode_id"), primary_key=True),
    Column("page_id", Text, primary_key=True),
    Column("obligation_id", Text, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("requested_at", Moment, nullable=False, index=True),
    Column("reported_at", Moment),
    Column("delivered", Boolean),
    Column("recipients", JSON, nullable=False),
    Column("detail", Text, nullable=False),
)

rises = Table(
    "rises",
    metadata,
    Column("episode_id", Text, ForeignKey("episodes.episode_id"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False, index=True),
    Column("level", Text, nullable=False),
    Column("owner", Text, nullable=False),
)

tallies = Table(
    "tallies",
    metadata,
    Column("tally_id", Text, primary_key=True),
    Column("month", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("protocol_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("minutes", Integer),
    Index("ix_tallies_month", "month", "kind"),
)

accesses = Table(
    "accesses",
    metadata,
    Column("access_id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("episode_id", Text, nullable=False),
    Column("client_ref", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_accesses_episode_id", "episode_id", "at"),
    Index("ix_accesses_client_ref", "client_ref", "at"),
    Index("ix_accesses_who", "who", "at"),
    sqlite_strict=True,
)

releases = Table(
    "releases",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("version", Text, nullable=False),
    Column("rules", Text, nullable=False),
    sqlite_strict=True,
)

holds = Table(
    "holds",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("client_ref", Text, nullable=False, index=True),
    Column("act", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("act IN ('placed', 'lifted')", name="act"),
    sqlite_strict=True,
)

ledger = Table(
    "ledger",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("book", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("number >= 1", name="number"),
    Index("ix_ledger_entry", "book", "entry", unique=True),
    sqlite_strict=True,
)

ledger_waiting = Table(
    "ledger_waiting",
    metadata,
    Column("book", Text, primary_key=True),
    Column("entry", Text, primary_key=True),
    sqlite_strict=True,
)

saved_searches = Table(
    "saved_searches",
    metadata,
    Column("who", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("wanted", Text, nullable=False),
    Column("saved_at", Moment, nullable=False),
    sqlite_strict=True,
)
