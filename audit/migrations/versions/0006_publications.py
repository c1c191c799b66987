"""What was done with each version of a protocol; the list only grows."""

import sqlalchemy as sa
from alembic import op

from audit.tables import Moment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table and its guard. There is no way back: a downgrade would drop who published what."""
    op.create_table(
        "publications",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("protocol", sa.Text, nullable=False),
        sa.Column("protocol_hash", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_publications"),
        sa.ForeignKeyConstraint(["protocol_hash"], ["protocols.hash"], name="fk_publications_protocol_hash"),
        sa.CheckConstraint("number >= 1", name=op.f("ck_publications_number")),
        sqlite_strict=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        op.execute(
            "CREATE TRIGGER publications_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON publications "
            "FOR EACH STATEMENT EXECUTE FUNCTION holdfast_append_only()"
        )


def _guard_sqlite() -> None:
    no = "BEGIN SELECT RAISE(ABORT, 'publications is append-only'); END"
    for act in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER publications_no_{act.lower()} BEFORE {act} ON publications {no}")
    there = "EXISTS (SELECT 1 FROM publications WHERE number = NEW.number)"
    op.execute(f"CREATE TRIGGER publications_no_replace BEFORE INSERT ON publications WHEN {there} {no}")
