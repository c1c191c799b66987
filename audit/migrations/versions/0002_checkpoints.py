"""Signed checkpoints of the trail; like it, they only grow."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table and its guard. There is no way back: a downgrade would drop the checkpoints."""
    op.create_table(
        "checkpoints",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("marks", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checkpoints"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_checkpoints_number")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        op.execute(
            "CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints "
            "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
        )


def _guard_sqlite() -> None:
    no = "BEGIN SELECT RAISE(ABORT, 'checkpoints is append-only'); END"
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER checkpoints_no_{act.lower()} BEFORE {act} ON checkpoints {no}")
    there = "EXISTS (SELECT 1 FROM checkpoints WHERE number = NEW.number)"
    op.execute(f"CREATE TRIGGER checkpoints_no_replace BEFORE INSERT ON checkpoints WHEN {there} {no}")
