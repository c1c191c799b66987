"""Who looked at what, which release decided when, legal holds, saved searches. All but the last only grow."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0004"
down_revision = "0003"

APPEND_ONLY = {"accesses": "access_id", "releases": "release_id", "holds": "hold_id"}


def upgrade() -> None:
    """Make the tables and their guards. There is no way back: a downgrade would drop them."""
    _accesses()
    _releases()
    _holds()
    _saved_searches()
    for table, key in APPEND_ONLY.items():
        if op.get_bind().dialect.name == "sqlite":
            _guard_sqlite(table, key)
        else:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
            )


def _accesses() -> None:
    op.create_table(
        "accesses",
        sa.Column("access_id", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("episode_id", sa.Text, nullable=False),
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("access_id", name="pk_accesses"),
        sqlite_strict=True,
    )
    for column in ("episode_id", "client_ref", "who"):
        op.create_index(f"ix_accesses_{column}", "accesses", [column, "at"])


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("release_id", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("release_id", name="pk_releases"),
        sqlite_strict=True,
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("hold_id", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("client_ref", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name="pk_holds"),
        sa.CheckConstraint("act IN ('placed', 'lifted')", name=op.f("ck_holds_act")),
        sqlite_strict=True,
    )
    op.create_index("ix_holds_client_ref", "holds", ["client_ref"])


def _saved_searches() -> None:
    op.create_table(
        "saved_searches",
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("saved_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("who", "name", name="pk_saved_searches"),
        sqlite_strict=True,
    )


def _guard_sqlite(table: str, key: str) -> None:
    no = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} {no}")
    # INSERT OR REPLACE deletes without firing a delete trigger.
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608 (names written here)
    op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} {no}")
