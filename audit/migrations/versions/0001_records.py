"""The trail, the protocols, the client keys, and the projections; what is recorded cannot be changed."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0001"
down_revision = None

#: Tables that only grow.
FIXED = ("trail", "protocols")


def upgrade() -> None:
    """Make everything. There is no way back: a downgrade would drop the trail."""
    _client_keys()
    _trail()
    _protocols()
    _projections()
    guard = _guard_sqlite if op.get_bind().dialect.name == "sqlite" else _guard_postgresql
    guard()


def _trail() -> None:
    op.create_table(
        "trail",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("occurred_at", Moment, nullable=False),
        sa.Column("recorded_at", Moment, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("command_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("commitment", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("written_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "sequence", name="pk_trail"),
        sa.ForeignKeyConstraint(["key_id"], ["client_keys.key_id"], name="fk_trail_key_id"),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_trail_sequence")),
        sqlite_strict=True,
    )


def _protocols() -> None:
    op.create_table(
        "protocols",
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("first_seen_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_protocols"),
        sqlite_strict=True,
    )


def _client_keys() -> None:
    op.create_table(
        "client_keys",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("kek_id", sa.Text),
        sa.Column("wrapped_key", sa.LargeBinary),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("destroyed_at", Moment),
        sa.PrimaryKeyConstraint("key_id", name="pk_client_keys"),
        sa.CheckConstraint("(wrapped_key IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("ck_client_keys_destroyed")),
        sqlite_strict=True,
    )
    usable = sa.text("destroyed_at IS NULL")
    op.create_index(
        "ix_client_keys_usable",
        "client_keys",
        ["client_ref"],
        unique=True,
        sqlite_where=usable,
        postgresql_where=usable,
    )


def _projections() -> None:
    op.create_table(
        "episodes",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("protocol", sa.Text, nullable=False),
        sa.Column("protocol_version", sa.Text, nullable=False),
        sa.Column("protocol_hash", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("risk", sa.Text, nullable=False),
        sa.Column("peak_risk", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("closed_at", Moment),
        sa.Column("next_deadline", Moment),
        sa.Column("drill", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", name="pk_episodes"),
    )
    op.create_index("ix_episodes_client_ref", "episodes", ["client_ref"])
    op.create_index("ix_episodes_queue", "episodes", ["closed_at", "next_deadline"])
    op.create_index("ix_episodes_owner", "episodes", ["owner", "closed_at", "next_deadline"])
    _obligations()
    _pages()


def _obligations() -> None:
    op.create_table(
        "obligations",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("obligation_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("owner_role", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("missed", sa.Boolean, nullable=False),
        sa.Column("rung", sa.Integer, nullable=False),
        sa.Column("next_page_at", Moment),
        sa.Column("lease_until", Moment),
        sa.PrimaryKeyConstraint("episode_id", "obligation_id", name="pk_obligations"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.episode_id"], name="fk_obligations_episode_id"),
    )
    op.create_index("ix_obligations_owner", "obligations", ["owner"])
    op.create_index("ix_obligations_due_at", "obligations", ["due_at"])


def _pages() -> None:
    op.create_table(
        "pages",
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("page_id", sa.Text, nullable=False),
        sa.Column("obligation_id", sa.Text, nullable=False),
        sa.Column("rung", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("channels", sa.JSON, nullable=False),
        sa.Column("requested_at", Moment, nullable=False),
        sa.Column("reported_at", Moment),
        sa.Column("delivered", sa.Boolean),
        sa.Column("recipients", sa.JSON, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "page_id", name="pk_pages"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.episode_id"], name="fk_pages_episode_id"),
    )
    op.create_index("ix_pages_requested_at", "pages", ["requested_at"])


def _guard_sqlite() -> None:
    for table in FIXED:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    op.execute(
        "CREATE TRIGGER client_keys_no_delete BEFORE DELETE ON client_keys "
        "BEGIN SELECT RAISE(ABORT, 'client_keys is never deleted from'); END"
    )
    # INSERT OR REPLACE deletes without firing a delete trigger.
    for table, keys in (("trail", ("episode_id", "sequence")), ("protocols", ("hash",)), ("client_keys", ("key_id",))):
        same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
        there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 (names written here)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION holdfast_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
        )
    op.execute(
        "CREATE TRIGGER client_keys_no_delete BEFORE DELETE OR TRUNCATE ON client_keys "
        "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
    )
